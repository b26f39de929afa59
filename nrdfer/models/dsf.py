"""Dynamic-static fusion (paper, section 3.3, equations 1 to 4): per pair of frames, what moved plus what is seen.

The dynamic branch convolves the difference of neighbouring feature maps; the static branch attends over the places
of each frame; their sum is the dynamic-static feature. Shapes: B clips, T frames, P = T - 1 pairs, C channels,
H x W places, Q = ceil(H / 2) * ceil(W / 2) places after down-sampling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nrdfer.models.encoder import make_encoder
from nrdfer.models.stem import BasicBlock, conv3x3


class DynamicStaticFusion(nn.Module):
    """Equations 1 to 4.

    Args:
        channels: C.
        places: Q.
        dynamic_blocks: blocks of the dynamic branch, the first with stride 2. The paper says three convolutional
            blocks; basic blocks are what the author's code and the published costs agree on.
        depth: M, encoders of the static branch.
        heads: attention heads of the static branch.
        dim_head: features a head of the static branch.
        mlp: hidden width of the static branch's perceptrons.
        dropout: of the static branch's encoders.
        dynamic: False leaves the dynamic branch out (the ablation's baseline: static branch only).
        position_std: standard deviation of the position embeddings at the start.
    """

    def __init__(
        self,
        channels: int,
        places: int,
        dynamic_blocks: int,
        depth: int,
        heads: int,
        dim_head: int,
        mlp: int,
        dropout: float,
        dynamic: bool,
        position_std: float,
    ) -> None:
        super().__init__()
        self.dynamic: nn.Sequential | None = None
        if dynamic:
            strides = [2] + [1] * (dynamic_blocks - 1)
            self.dynamic = nn.Sequential(*(BasicBlock(channels, channels, stride) for stride in strides))
        self.conv_d = nn.Sequential(conv3x3(channels, channels, 2), nn.BatchNorm2d(channels), nn.ReLU())
        self.position_QC = nn.Parameter(position_std * torch.randn(places, channels))
        self.static = make_encoder(channels, depth, heads, dim_head, mlp, dropout)

    def forward(self, features_BTCHW: Tensor) -> Tensor:
        """(B, T, C, H, W) -> dynamic-static features (B, P, C, H', W'), H' = ceil(H / 2)."""
        B, T, C, H, W = features_BTCHW.shape
        # Equation 2: Conv-D on the first T - 1 frames, since the last one has no difference.
        static_NCHW = self.conv_d(features_BTCHW[:, :-1].reshape(B * (T - 1), C, H, W))
        half = static_NCHW.shape[-2:]
        tokens_NQC = static_NCHW.flatten(2).transpose(1, 2)
        tokens_NQC = self.static(tokens_NQC + self.position_QC)  # equation 3, then M encoders
        fused_NCHW = tokens_NQC.transpose(1, 2).reshape(B * (T - 1), C, *half)
        if self.dynamic is not None:
            difference_BPCHW = features_BTCHW[:, 1:] - features_BTCHW[:, :-1]  # equation 1
            fused_NCHW = fused_NCHW + self.dynamic(difference_BPCHW.reshape(-1, C, H, W))  # equation 4
        return fused_NCHW.view(B, T - 1, C, *half)
