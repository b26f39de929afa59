"""The temporal stage with the dynamic class token (paper, section 3.4, equation 5).

The class token is the mean of the sequence's own features, so that attention from it favours frames that look like
the sequence as a whole. Shapes: B sequences, P features, D width, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nrdfer.models.encoder import make_encoder


class TemporalStage(nn.Module):
    """Class token, position embeddings, N encoders; returns the class token's final state.

    Args:
        dim: D, width of a flattened dynamic-static feature.
        length: P, features of a whole sequence.
        depth: N, encoders.
        heads: attention heads.
        dim_head: features a head.
        mlp: hidden width of the perceptrons.
        dropout: of the encoders.
        dynamic_token: True for the mean of the features (equation 5), False for one learned token (the ablation).
        position_std: standard deviation of the position embeddings at the start.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        depth: int,
        heads: int,
        dim_head: int,
        mlp: int,
        dropout: float,
        dynamic_token: bool,
        position_std: float,
    ) -> None:
        super().__init__()
        self.token_D = None if dynamic_token else nn.Parameter(position_std * torch.randn(dim))
        self.position_ND = nn.Parameter(position_std * torch.randn(length + 1, dim))
        self.encoder = make_encoder(dim, depth, heads, dim_head, mlp, dropout)

    def forward(self, features_BPD: Tensor) -> Tensor:
        """(B, P', D) with P' up to P -> (B, D). A shorter sequence (a snippet) uses the first P' + 1 positions."""
        if self.token_D is None:
            token_B1D = features_BPD.mean(1, keepdim=True)  # equation 5
        else:
            token_B1D = self.token_D.expand(len(features_BPD), 1, -1)
        tokens_BND = torch.cat([token_B1D, features_BPD], dim=1)
        tokens_BND = tokens_BND + self.position_ND[: tokens_BND.shape[1]]
        encoded_BND: Tensor = self.encoder(tokens_BND)
        return encoded_BND[:, 0]
