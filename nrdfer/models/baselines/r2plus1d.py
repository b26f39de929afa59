"""R(2+1)D-18 (Tran et al. 2018): every 3D convolution as one over space and one over time.

The published 42.36 G multiply-adds fit a public form with biases, no norm after the stem and factorised shortcuts
(github.com/irhum/R2Plus1D-PyTorch), not torchvision's r2plus1d_18 (40.65 G). Shapes: B clips, C channels, T frames,
H x W.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.layers3d import clip_to_volume, mean_over_volume


@dataclass(frozen=True)
class R2Plus1DSettings(NetworkSettings):
    """Sizes of R(2+1)D-18."""

    width: int = 64  # channels of the first layer; doubled three times
    blocks: tuple[int, ...] = (2, 2, 2, 2)


PRESETS = {"paper": R2Plus1DSettings(), "sample": R2Plus1DSettings(image_size=64, width=10)}


class FactorisedConv(nn.Module):
    """Space, norm, ReLU, time: (B, C_in, T, H, W) -> (B, C_out, T', H', W').

    The channels between the two are as many as keep the weights of the 3D convolution they stand for.

    Args:
        channels_in: C_in.
        channels_out: C_out.
        kernel: (time, height, width).
        stride: likewise.
    """

    def __init__(
        self, channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]
    ) -> None:
        super().__init__()
        time, height, width = kernel
        weights = time * height * width * channels_in * channels_out
        between = weights // (height * width * channels_in + time * channels_out)
        self.space = nn.Conv3d(channels_in, between, (1, height, width), (1, *stride[1:]), (0, height // 2, width // 2))
        self.norm = nn.BatchNorm3d(between)
        self.relu = nn.ReLU()
        self.time = nn.Conv3d(between, channels_out, (time, 1, 1), (stride[0], 1, 1), (time // 2, 0, 0))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        out: Tensor = self.time(self.relu(self.norm(self.space(x_BCTHW))))
        return out


class FactorisedBlock(nn.Module):
    """Two factorised convolutions with a shortcut; `halve` halves time, height and width, rounding up."""

    def __init__(self, channels_in: int, channels_out: int, halve: bool) -> None:
        super().__init__()
        stride = (2, 2, 2) if halve else (1, 1, 1)
        self.conv1 = FactorisedConv(channels_in, channels_out, (3, 3, 3), stride)
        self.bn1 = nn.BatchNorm3d(channels_out)
        self.conv2 = FactorisedConv(channels_out, channels_out, (3, 3, 3), (1, 1, 1))
        self.bn2 = nn.BatchNorm3d(channels_out)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if halve:
            projection = FactorisedConv(channels_in, channels_out, (1, 1, 1), stride)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm3d(channels_out))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C_in, T, H, W) -> (B, C_out, T', H', W')."""
        inner = self.relu(self.bn1(self.conv1(x_BCTHW)))
        out: Tensor = self.relu(self.bn2(self.conv2(inner)) + self.shortcut(x_BCTHW))
        return out


class R2Plus1D(ClipNetwork):
    """The network."""

    settings: R2Plus1DSettings

    def __init__(self, settings: R2Plus1DSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or R2Plus1DSettings()
        layers: list[nn.Module] = [FactorisedConv(3, s.width, (3, 7, 7), (1, 2, 2))]
        channels = s.width
        for number, count in enumerate(s.blocks):
            for block in range(count):
                layers.append(FactorisedBlock(channels, s.width * 2**number, halve=bool(number and not block)))
                channels = s.width * 2**number
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(channels, s.classes)
        start_convolutions(self)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the mean over time and places."""
        return mean_over_volume(self.trunk(clip_to_volume(x_BTCHW)))
