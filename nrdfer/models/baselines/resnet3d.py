"""3D ResNet-18 (Hara et al. 2018): ResNet-18 with every convolution inflated to three dimensions.

The published 8.32 G multiply-adds fit Hara's form (7x7x7 stem that keeps time, max-pooling, projection shortcuts), not
torchvision's r3d_18 (40.74 G). Its relatives with a loss of their own are ``resnet3d_center_loss`` and ``ec_stfl``.
Shapes: B clips, C channels, T frames, H x W, D features.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.layers3d import MaxPool3d, clip_to_volume, mean_over_volume


@dataclass(frozen=True)
class ResNet3DSettings(NetworkSettings):
    """Sizes of 3D ResNet-18."""

    width: int = 64  # channels of the first layer; doubled three times
    blocks: tuple[int, ...] = (2, 2, 2, 2)

    @property
    def dim(self) -> int:
        """D."""
        return self.width << (len(self.blocks) - 1)


PRESETS = {"paper": ResNet3DSettings(), "sample": ResNet3DSettings(image_size=64, width=12)}


class BasicBlock3d(nn.Module):
    """Two 3x3x3 convolutions with a shortcut: (B, C_in, T, H, W) -> (B, C_out, T', H', W'), all sides by `stride`."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(channels_out)
        self.conv2 = nn.Conv3d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(channels_out)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            projection = nn.Conv3d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm3d(channels_out))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        inner = self.relu(self.bn1(self.conv1(x_BCTHW)))
        out: Tensor = self.relu(self.bn2(self.conv2(inner)) + self.shortcut(x_BCTHW))
        return out


class ResNet3D(ClipNetwork):
    """The network."""

    settings: ResNet3DSettings

    def __init__(self, settings: ResNet3DSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or ResNet3DSettings()
        layers: list[nn.Module] = [
            nn.Conv3d(3, s.width, 7, (1, 2, 2), 3, bias=False),
            nn.BatchNorm3d(s.width),
            nn.ReLU(),
            MaxPool3d((3, 3, 3), (2, 2, 2), (1, 1, 1)),
        ]
        channels = s.width
        for number, count in enumerate(s.blocks):
            for block in range(count):
                layers.append(BasicBlock3d(channels, s.width * 2**number, 2 if number and not block else 1))
                channels = s.width * 2**number
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(s.dim, s.classes)
        start_convolutions(self)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the mean over time and places."""
        return mean_over_volume(self.trunk(clip_to_volume(x_BTCHW)))
