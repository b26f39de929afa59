"""Transformer encoder, used by the static branch over places and by the temporal stage over frames.

Pre-norm, queries, keys and values without bias, tanh-GELU, no final norm: the author's habits, which the paper leaves
open. Shapes: B sequences, N tokens, D features, H heads, E features a head.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention whose inner width (heads x dim_head) may differ from D."""

    def __init__(self, dim: int, heads: int, dim_head: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * heads * dim_head, bias=False)
        self.to_out = nn.Linear(heads * dim_head, dim)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        B, N, _ = x_BND.shape
        qkv = self.to_qkv(x_BND).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        q_BHNE, k_BHNE, v_BHNE = qkv.unbind(0)
        mixed_BHNE = F.scaled_dot_product_attention(q_BHNE, k_BHNE, v_BHNE)
        out: Tensor = self.to_out(mixed_BHNE.transpose(1, 2).reshape(B, N, -1))
        return out


class EncoderLayer(nn.Module):
    """Attention and a two-layer perceptron, each after a norm and around a shortcut."""

    def __init__(self, dim: int, heads: int, dim_head: int, mlp: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads, dim_head)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp), nn.GELU(approximate="tanh"), nn.Dropout(dropout), nn.Linear(mlp, dim)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BND: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x_BND = x_BND + self.dropout(self.attention(self.norm1(x_BND)))
        out: Tensor = x_BND + self.dropout(self.mlp(self.norm2(x_BND)))
        return out


def make_encoder(
    dim: int, depth: int, heads: int, dim_head: int, mlp: int, dropout: float = 0.0
) -> nn.Sequential:
    """`depth` encoder layers: (B, N, dim) -> (B, N, dim)."""
    return nn.Sequential(*(EncoderLayer(dim, heads, dim_head, mlp, dropout) for _ in range(depth)))
