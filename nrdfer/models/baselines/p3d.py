"""P3D ResNet (Qiu et al. 2017): bottleneck blocks whose 3x3x3 convolution is split into space and time in three ways.

The paper's blocks A (time after space), B (both side by side) and C (time after space, and space added) take turns
through the first three layers; the fourth is two-dimensional. The paper that we reproduce gives no multiply-adds for
P3D. The code of DFEW's authors (github.com/jiangxingxun/DFEW), whose paper printed the accuracy, runs P3D-63 on frames
of 160 px: preset ``dfew-authors``. Shapes: B clips, C channels, T frames, H x W, N = B * T.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.layers3d import MaxPool3d, clip_to_volume

#: Blocks of the four layers, by the depth in the network's name.
DEPTHS = {63: (3, 4, 6, 3), 131: (3, 4, 23, 3), 199: (3, 8, 36, 3)}


@dataclass(frozen=True)
class P3DSettings(NetworkSettings):
    """Sizes of P3D.

    Raises:
        ValueError: unknown depth, or frames that do not become one after four halvings.
    """

    depth: int = 199  # the paper's main network; or 63, 131
    width: int = 64  # channels inside the first layer's blocks; doubled three times
    dropout: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth not in DEPTHS:
            raise ValueError(f"P3D's depth must be one of {', '.join(map(str, DEPTHS))}, not {self.depth}")
        if self.frames // 16 != 1:
            raise ValueError(f"P3D halves time four times to one; it takes 16 to 31 frames, not {self.frames}")


PRESETS = {
    "paper": P3DSettings(),
    "dfew-authors": P3DSettings(image_size=160, depth=63),
    "sample": P3DSettings(image_size=64, depth=63, width=8),
}


def _conv(channels_in: int, channels_out: int, kernel: tuple[int, int, int], side_stride: int = 1) -> nn.Sequential:
    """Convolution and norm; keeps the size except for `side_stride`."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    stride = (1, side_stride, side_stride)
    return nn.Sequential(
        nn.Conv3d(channels_in, channels_out, kernel, stride, padding, bias=False), nn.BatchNorm3d(channels_out)
    )


class P3DBlock(nn.Module):
    """A bottleneck block: (B, C_in, T, H, W) -> (B, 4 * inner, T, H / stride, W / stride), rounded up.

    Args:
        kind: ``A``, ``B`` or ``C`` (section 3.2 of Qiu et al.), or ``2D``.
        channels_in: C_in.
        inner: channels between the 1x1x1 convolutions.
        stride: of height and width.
    """

    def __init__(self, kind: str, channels_in: int, inner: int, stride: int) -> None:
        super().__init__()
        self.kind = kind
        self.reduce = _conv(channels_in, inner, (1, 1, 1), stride)
        self.space = _conv(inner, inner, (1, 3, 3))
        self.time = None if kind == "2D" else _conv(inner, inner, (3, 1, 1))
        self.expand = _conv(inner, 4 * inner, (1, 1, 1))
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != 4 * inner:
            self.shortcut = _conv(channels_in, 4 * inner, (1, 1, 1), stride)

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """See the class."""
        reduced = self.relu(self.reduce(x_BCTHW))
        mixed = self.relu(self.space(reduced))
        if self.time is not None:
            if self.kind == "A":
                mixed = self.relu(self.time(mixed))
            elif self.kind == "B":
                mixed = mixed + self.relu(self.time(reduced))
            else:
                mixed = mixed + self.relu(self.time(mixed))
        out: Tensor = self.relu(self.expand(mixed) + self.shortcut(x_BCTHW))
        return out


class P3D(ClipNetwork):
    """The network."""

    settings: P3DSettings

    def __init__(self, settings: P3DSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or P3DSettings()
        layers: list[nn.Module] = [
            nn.Conv3d(3, s.width, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False),
            nn.BatchNorm3d(s.width),
            nn.ReLU(),
            MaxPool3d((2, 3, 3), (2, 2, 2), (0, 1, 1)),
        ]
        channels, made = s.width, 0
        for number, count in enumerate(DEPTHS[s.depth]):
            inner = s.width * 2**number
            for block in range(count):
                kind = "ABC"[made % 3] if number < 3 else "2D"
                layers.append(P3DBlock(kind, channels, inner, 2 if number and not block else 1))
                channels, made = 4 * inner, made + 1
            if number < 3:
                layers.append(MaxPool3d((2, 1, 1), (2, 1, 1)))
        self.trunk = nn.Sequential(*layers)
        self.dropout = nn.Dropout(s.dropout)
        self.head = nn.Linear(channels, s.classes)
        start_convolutions(self)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the mean over places of the one frame that is left."""
        features_BD: Tensor = self.dropout(self.trunk(clip_to_volume(x_BTCHW)).mean((2, 3, 4)))
        return features_BD
