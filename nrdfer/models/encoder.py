"""Transformer encoder, used by the static branch over places and by the temporal stage over frames.

The paper leaves norm, activation and biases open; the defaults are the author's later code: pre-norm, queries, keys
and values without bias, tanh-GELU, no dropout, no final norm. What is attended over belongs to ``dsf`` and ``dct``.
Shapes: B sequences, N tokens, D features, H heads, E features a head.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

NORMS = ("pre", "post")


@dataclass(frozen=True)
class EncoderSettings:
    """One stack of encoder layers."""

    depth: int
    heads: int
    dim_head: int
    mlp: int  # hidden width of the perceptrons
    dropout: float = 0.0
    norm: str = "pre"  # or "post" (Vaswani et al. 2017)
    final_norm: bool = False


class Attention(nn.Module):
    """Multi-head self-attention whose inner width (heads x dim_head) may differ from D."""

    def __init__(self, dim: int, heads: int, dim_head: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = dim_head**-0.5
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def weights(self, x_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Attention weights (B, H, N, N), rows are queries and sum to 1, and the values (B, H, N, E)."""
        B, N, _ = x_BND.shape
        qkv = self.to_qkv(x_BND).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q_BHNE, k_BHNE, v_BHNE = qkv.unbind(0)
        scores_BHNN = (q_BHNE * self.scale) @ k_BHNE.transpose(-1, -2)
        return scores_BHNN.softmax(-1), v_BHNE

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        # Written out, not fused: with at most 16 tokens it is as fast, deterministic on every device, and countable.
        weights_BHNN, v_BHNE = self.weights(x_BND)
        out: Tensor = self.to_out((weights_BHNN @ v_BHNE).transpose(1, 2).flatten(2))
        return out


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
            nn.GELU(approximate="tanh"),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.mlp, dim),
        )
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        if self.pre:
            x_BND = x_BND + self.dropout(self.attention(self.norm1(x_BND)))
            out_BND: Tensor = x_BND + self.dropout(self.mlp(self.norm2(x_BND)))
        else:
            x_BND = self.norm1(x_BND + self.dropout(self.attention(x_BND)))
            out_BND = self.norm2(x_BND + self.dropout(self.mlp(x_BND)))
        return out_BND


class Encoder(nn.Module):
    """A stack of encoder layers and, if the settings say so, a final norm.

    Raises:
        ValueError: `settings.norm` is not one of `NORMS`.
    """

    def __init__(self, dim: int, settings: EncoderSettings) -> None:
        super().__init__()
        if settings.norm not in NORMS:
            raise ValueError(f"norm must be one of {NORMS}, not {settings.norm!r}")
        self.layers = nn.ModuleList(EncoderLayer(dim, settings) for _ in range(settings.depth))
        self.final: nn.Module = nn.LayerNorm(dim) if settings.final_norm else nn.Identity()

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        for layer in self.layers:
            x_BND = layer(x_BND)
        out: Tensor = self.final(x_BND)
        return out
