"""Layers that several spatio-temporal baselines share. Shapes: B clips, C channels, T frames, H x W."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def clip_to_volume(x_BTCHW: Tensor) -> Tensor:
    """Clips (B, T, C, H, W) as 3D convolutions take them, (B, C, T, H, W)."""
    return x_BTCHW.transpose(1, 2)


class MaxPool3d(nn.Module):
    """3D max-pooling in two passes, over space and over time: (B, C, T, H, W) -> (B, C, T', H', W').

    The values are `torch.nn.MaxPool3d`'s. Its own gradient has no deterministic form on a GPU; these passes' have.

    Args:
        kernel: (time, height, width).
        stride: likewise.
        padding: likewise, with what no maximum ever is.
    """

    def __init__(
        self, kernel: tuple[int, int, int], stride: tuple[int, int, int], padding: tuple[int, int, int] = (0, 0, 0)
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.padding = kernel, stride, padding

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        kernel, stride, padding = self.kernel, self.stride, self.padding
        B, C, T = x_BCTHW.shape[:3]
        x_NCHW = x_BCTHW.transpose(1, 2).flatten(0, 1)
        x_NCHW = F.max_pool2d(x_NCHW, kernel[1:], stride[1:], padding[1:])
        height, width = x_NCHW.shape[-2:]
        x_BCTHW = x_NCHW.view(B, T, C, height, width).transpose(1, 2)
        if kernel[0] == 1 and stride[0] == 1:
            return x_BCTHW
        x_BCTM = F.max_pool2d(x_BCTHW.flatten(3), (kernel[0], 1), (stride[0], 1), (padding[0], 0))
        return x_BCTM.view(B, C, -1, height, width)


def mean_over_volume(x_BCTHW: Tensor) -> Tensor:
    """Global average pooling: (B, C, T, H, W) -> (B, C)."""
    return x_BCTHW.mean((2, 3, 4))
