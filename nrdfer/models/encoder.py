"""Transformer encoder, used by the static branch over places and by the temporal stage over frames.

The paper leaves norm, activation and biases open; the defaults are the author's later code: pre-norm, queries, keys
and values without bias, tanh-GELU, no dropout, no final norm. What is attended over belongs to ``dsf`` and ``dct``.
Shapes: B sequences, N tokens, D features, H heads, E features a head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

NORMS = ("pre", "post")
ACTIVATIONS = ("gelu_tanh", "gelu", "relu")


@dataclass(frozen=True)
class EncoderSettings:
    """One stack of encoder layers.

    Raises:
        ValueError: an unknown norm or activation, or sizes that make no layer.
    """

    depth: int
    heads: int
    dim_head: int
    mlp: int  # hidden width of the perceptrons
    dropout: float = 0.0
    norm: str = "pre"  # or "post" (Vaswani et al. 2017)
    final_norm: bool = False
    activation: str = "gelu_tanh"  # or "gelu", "relu"

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, not {self.norm!r}")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        if self.depth < 0 or min(self.heads, self.dim_head, self.mlp) < 1:
            raise ValueError(
                f"an encoder needs positive sizes, not depth {self.depth}, {self.heads} heads of {self.dim_head}, "
                f"perceptrons of {self.mlp}"
            )


class Attention(nn.Module):
    """Multi-head self-attention whose inner width (heads x dim_head) may differ from D."""

    def __init__(self, dim: int, heads: int, dim_head: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def _qkv(self, x_BND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        B, N, _ = x_BND.shape
        q_BHNE, k_BHNE, v_BHNE = self.to_qkv(x_BND).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return q_BHNE, k_BHNE, v_BHNE

    def forward(self, x_BND: Tensor, mask_NN: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D); where `mask_NN` is False, the row's token does not see the column's."""
        mixed_BHNE = F.scaled_dot_product_attention(*self._qkv(x_BND), attn_mask=mask_NN)
        out: Tensor = self.to_out(mixed_BHNE.transpose(1, 2).flatten(2))
        return out

    def weights(self, x_BND: Tensor) -> Tensor:
        """Attention weights, (B, H, N, N): rows are queries and sum to 1. For reading only; `forward` is fused."""
        q_BHNE, k_BHNE, _ = self._qkv(x_BND)
        scores_BHNN: Tensor = q_BHNE @ k_BHNE.transpose(-1, -2) / q_BHNE.shape[-1] ** 0.5
        return scores_BHNN.softmax(-1)


def _activation(name: str) -> nn.Module:
    if name == "relu":
        return nn.ReLU()
    return nn.GELU(approximate="tanh" if name == "gelu_tanh" else "none")


class EncoderLayer(nn.Module):
    """Attention and a two-layer perceptron, each normalised and around a shortcut."""

    def __init__(self, dim: int, settings: EncoderSettings) -> None:
        super().__init__()
        self.pre = settings.norm == "pre"
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, settings.heads, settings.dim_head)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, settings.mlp),
            _activation(settings.activation),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.mlp, dim),
        )
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x_BND: Tensor, mask_NN: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D); for the mask see `Attention.forward`."""
        if self.pre:
            x_BND = x_BND + self.dropout(self.attention(self.norm1(x_BND), mask_NN))
            out_BND: Tensor = x_BND + self.dropout(self.mlp(self.norm2(x_BND)))
        else:
            x_BND = self.norm1(x_BND + self.dropout(self.attention(x_BND, mask_NN)))
            out_BND = self.norm2(x_BND + self.dropout(self.mlp(x_BND)))
        return out_BND

    def weights(self, x_BND: Tensor) -> Tensor:
        """The layer's attention weights (B, H, N, N) for its input (B, N, D)."""
        return self.attention.weights(self.norm1(x_BND) if self.pre else x_BND)


class Encoder(nn.Module):
    """A stack of encoder layers and, if the settings say so, a final norm."""

    def __init__(self, dim: int, settings: EncoderSettings) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, settings) for _ in range(settings.depth))
        self.final: nn.Module = nn.LayerNorm(dim) if settings.final_norm else nn.Identity()

    def forward(self, x_BND: Tensor, mask_NN: Tensor | None = None) -> Tensor:
        """(B, N, D) -> (B, N, D); for the mask see `Attention.forward`."""
        for layer in self.layers:
            x_BND = layer(x_BND, mask_NN)
        out: Tensor = self.final(x_BND)
        return out

    def weights(self, x_BND: Tensor) -> list[Tensor]:
        """Attention weights (B, H, N, N) of every layer, in order."""
        found: list[Tensor] = []
        for layer in self.layers:
            assert isinstance(layer, EncoderLayer)  # noqa: S101  # torch's ModuleList forgets the type
            found.append(layer.weights(x_BND))
            x_BND = layer(x_BND)
        return found
