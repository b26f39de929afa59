"""The temporal stage with the dynamic class token (paper, section 3.4, equation 5).

The class token is the mean of the sequence's own features, so that attention from it favours frames that look like
the sequence as a whole. Where the features come from belongs to ``dsf``; which snippets are classified to
``snippet_filter``. Shapes: B sequences, P features of a whole sequence, p <= P of this one, D width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nrdfer.models.encoder import Encoder, EncoderSettings


def dynamic_class_token(features_BpD: Tensor) -> Tensor:
    """Equation 5, the mean of the sequence's features: (B, p, D) -> (B, 1, D)."""
    return features_BpD.mean(1, keepdim=True)


class TemporalStage(nn.Module):
    """Class token, position embeddings, N encoders; returns the class token's final state.

    Args:
        dim: D, width of a flattened dynamic-static feature.
        length: P.
        encoder: N encoders.
        dynamic_token: True for equation 5, False for one learned token shared by all sequences (the ablation).
        position_std: standard deviation of the position embeddings and of the learned token at the start.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        encoder: EncoderSettings,
        *,
        dynamic_token: bool = True,
        position_std: float = 0.02,
    ) -> None:
        super().__init__()
        self.length = length
        self.token_D = None if dynamic_token else nn.Parameter(position_std * torch.randn(dim))
        self.position_TD = nn.Parameter(position_std * torch.randn(length + 1, dim))  # row 0: class token
        self.encoder = Encoder(dim, encoder)

    def forward(self, features_BpD: Tensor, places_Bp: Tensor | None = None) -> Tensor:
        """(B, p, D) -> (B, D).

        Args:
            features_BpD: a sequence or a snippet.
            places_Bp: int64, where each feature lies in the whole sequence (0 to P - 1), for position embeddings of
                true places; None takes the first p positions, as the author's later code does for snippets.

        Raises:
            ValueError: more features than positions.
        """
        p = features_BpD.shape[1]
        if p > self.length:
            raise ValueError(f"{p} features of a sequence, but positions for {self.length}")
        if self.token_D is None:
            token_B1D = dynamic_class_token(features_BpD)
        else:
            token_B1D = self.token_D.expand(len(features_BpD), 1, -1)
        places = torch.arange(p, device=features_BpD.device) if places_Bp is None else places_Bp
        tokens_BpD = features_BpD + self.position_TD[1 + places]
        encoded: Tensor = self.encoder(torch.cat([token_B1D + self.position_TD[0], tokens_BpD], dim=1))
        return encoded[:, 0]
