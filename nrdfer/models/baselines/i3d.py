"""I3D-RGB (Carreira and Zisserman 2017): Inception-v1 with every filter inflated to three dimensions.

The published 6.99 G multiply-adds fit frames of 112 px, the original's "same" padding, and an average over all that is
left before the classifier. The code of DFEW's authors (github.com/jiangxingxun/DFEW) resizes frames to 224 px: preset
``dfew-authors``. Shapes: B clips, C channels, T frames, H x W.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.layers3d import MaxPool3d, clip_to_volume, mean_over_volume

#: Channels of each inception module's four branches: 1x1x1; 1x1x1 then 3x3x3, twice; pooling then 1x1x1.
MODULES = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
#: Kernel and stride of the pooling before each group of modules.
POOLS = (((1, 3, 3), (1, 2, 2)), ((3, 3, 3), (2, 2, 2)), ((2, 2, 2), (2, 2, 2)))


@dataclass(frozen=True)
class I3DSettings(NetworkSettings):
    """Sizes of I3D."""

    width: int = 64  # channels of the stem; all others follow in proportion
    dropout: float = 0.5


PRESETS = {
    "paper": I3DSettings(),
    "dfew-authors": I3DSettings(image_size=224),
    "sample": I3DSettings(image_size=64, width=16),
}


def pad_same(x_BCTHW: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Pad a volume with zeros so that a filter gives ceil(size / stride); the odd one goes last, as in TensorFlow."""
    margins: list[int] = []
    for size, k, s in zip(x_BCTHW.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):  # width first, time last
        total = max((-(-size // s) - 1) * s + k - size, 0)
        margins += [total // 2, total - total // 2]
    return F.pad(x_BCTHW, margins)


class Unit(nn.Module):
    """Convolution, norm, ReLU with "same" padding: (B, C_in, T, H, W) -> (B, C_out, T', H', W')."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv = nn.Conv3d(channels_in, channels_out, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(channels_out, eps=1e-3)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        kernel, stride = self.kernel, self.stride
        out: Tensor = self.bn(self.conv(pad_same(x_BCTHW, kernel, stride))).relu()
        return out


class SamePool(nn.Module):
    """Max-pooling with "same" padding; zeros cannot win, since it follows a ReLU."""

    def __init__(self, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.pool = MaxPool3d(kernel, stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, T', H', W')."""
        out: Tensor = self.pool(pad_same(x_BCTHW, self.kernel, self.stride))
        return out


class Inception(nn.Module):
    """Four branches, side by side: (B, C_in, T, H, W) -> (B, C_out, T, H, W)."""

    def __init__(self, channels_in: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        one, reduce3, three, reduce5, five, pooled = channels
        self.branches = nn.ModuleList(
            [
                Unit(channels_in, one, 1),
                nn.Sequential(Unit(channels_in, reduce3, 1), Unit(reduce3, three, 3)),
                nn.Sequential(Unit(channels_in, reduce5, 1), Unit(reduce5, five, 3)),
                nn.Sequential(SamePool((3, 3, 3), (1, 1, 1)), Unit(channels_in, pooled, 1)),
            ]
        )
        self.channels_out = one + three + five + pooled

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        return torch.cat([branch(x_BCTHW) for branch in self.branches], dim=1)


class I3D(ClipNetwork):
    """The network."""

    settings: I3DSettings

    def __init__(self, settings: I3DSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or I3DSettings()
        stem = s.width
        layers: list[nn.Module] = [
            Unit(3, stem, 7, 2),
            SamePool((1, 3, 3), (1, 2, 2)),
            Unit(stem, stem, 1),
            Unit(stem, 3 * stem, 3),
        ]
        channels = 3 * stem
        for (kernel, stride), modules in zip(POOLS, MODULES, strict=True):
            layers.append(SamePool(kernel, stride))
            for sizes in modules:
                module = Inception(channels, tuple(max(1, size * s.width // 64) for size in sizes))
                layers.append(module)
                channels = module.channels_out
        self.trunk = nn.Sequential(*layers)
        self.dropout = nn.Dropout(s.dropout)
        self.head = nn.Linear(channels, s.classes)
        start_convolutions(self)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the mean over time and places."""
        features_BD: Tensor = self.dropout(mean_over_volume(self.trunk(clip_to_volume(x_BTCHW))))
        return features_BD
