"""The temporal stage with the dynamic class token (paper, section 3.4, equation 5).

The class token is the mean of the sequence's own features, so that attention from it favours frames that look like
the sequence as a whole. Where the features come from belongs to ``dsf``; which snippets are classified to
``snippet_filter``. Shapes: B sequences, P features of a whole sequence, p <= P of one window, W windows, N tokens,
D width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nrdfer.models.encoder import Encoder, EncoderSettings

POSITIONS = ("first", "true")


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
        positions: of a window that is not the whole sequence: ``first``, the first p for every window (the author's
            later code), or ``true``, those of its place in the sequence.
        position_std: standard deviation of the position embeddings and of the learned token at the start.

    Raises:
        ValueError: unknown `positions`.
    """

    def __init__(
        self,
        dim: int,
        length: int,
        encoder: EncoderSettings,
        *,
        dynamic_token: bool = True,
        positions: str = "first",
        position_std: float = 0.02,
    ) -> None:
        super().__init__()
        if positions not in POSITIONS:
            raise ValueError(f"positions must be one of {', '.join(POSITIONS)}, not {positions!r}")
        self.length, self.positions = length, positions
        self.token_D = None if dynamic_token else nn.Parameter(position_std * torch.randn(dim))
        self.position_TD = nn.Parameter(position_std * torch.randn(length + 1, dim))  # row 0: class token
        self.encoder = Encoder(dim, encoder)

    def _tokens(self, features_BPD: Tensor, window: range) -> Tensor:
        """The encoder's input for one window: (B, P, D) -> (B, 1 + p, D)."""
        if window.stop > min(self.length, features_BPD.shape[1]):
            raise ValueError(
                f"a window of features {window.start} to {window.stop - 1}, but there are {features_BPD.shape[1]} "
                f"features and positions for {self.length}"
            )
        features_BpD = features_BPD[:, window.start : window.stop]
        if self.token_D is None:
            token_B1D = dynamic_class_token(features_BpD)
        else:
            token_B1D = self.token_D.expand(features_BpD.shape[0], 1, -1)
        first = 1 + (window.start if self.positions == "true" else 0)
        position_pD = self.position_TD[first : first + len(window)]
        return torch.cat([token_B1D + self.position_TD[0], features_BpD + position_pD], dim=1)

    def forward(self, features_BPD: Tensor, windows: Sequence[range] | None = None) -> Tensor:
        """The class token's final state of every window: (B, P, D) -> (B, W, D).

        All windows pass the encoders together, each seeing only itself, so that weights are read once.

        Args:
            features_BPD: features of sequences.
            windows: which features make up each window, without gaps; None is one window of all.

        Raises:
            ValueError: a window that reaches over the features or the position embeddings.
        """
        windows = [range(features_BPD.shape[1])] if windows is None else windows
        parts = [self._tokens(features_BPD, window) for window in windows]
        lengths = [part.shape[1] for part in parts]
        if len(parts) == 1:
            encoded_BND: Tensor = self.encoder(parts[0])
            return encoded_BND[:, :1]
        window_N = torch.tensor([i for i, n in enumerate(lengths) for _ in range(n)], device=features_BPD.device)
        encoded_BND = self.encoder(torch.cat(parts, dim=1), window_N[:, None] == window_N)
        heads = [sum(lengths[:i]) for i in range(len(lengths))]  # position of each window's class token
        return encoded_BND[:, heads]

    def frame_attention(self, features_BPD: Tensor) -> Tensor:
        """Attention of the class token to each feature of whole sequences (Figure 5): (B, P, D) -> (B, P).

        The product over layers and heads of the class token's attention weights, scaled to sum to 1 over the features.
        """
        layers = self.encoder.weights(self._tokens(features_BPD, range(features_BPD.shape[1])))
        log_BP = torch.stack([weights_BHNN[:, :, 0, 1:].log().sum(1) for weights_BHNN in layers]).sum(0)
        return log_BP.softmax(-1)
