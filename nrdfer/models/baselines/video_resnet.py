"""3D ResNet-18 and R(2+1)D-18 in the forms of torchvision (Tran et al. 2018), `r3d_18` and `r2plus1d_18`.

The code of DFEW's authors (github.com/jiangxingxun/DFEW) takes both from there, and so does their release of EC-STFL;
so the accuracy of these rows probably comes from these forms, and the multiply-adds (8.32 and 42.36 G) from those of
``resnet3d`` and ``r2plus1d``: these cost 40.7 and 40.5 G. Parameters are named as in torchvision, whose files load.
Shapes: B clips, C channels, T frames, H x W.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.layers3d import clip_to_volume, mean_over_volume

LAYERS, BLOCKS = 4, 2  # of 18 layers


@dataclass(frozen=True)
class VideoResNetSettings(NetworkSettings):
    """Sizes of both networks."""

    width: int = 64  # channels of the first layer; doubled three times


PRESETS = {"paper": VideoResNetSettings(), "sample": VideoResNetSettings(image_size=64, width=8)}


def _conv(channels_in: int, channels_out: int, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> nn.Conv3d:
    """Convolution without bias that keeps the size but for its stride."""
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    return nn.Conv3d(channels_in, channels_out, kernel, stride, padding, bias=False)


def whole(channels_in: int, channels_out: int, between: int, stride: int) -> nn.Module:
    """One 3x3x3 convolution, as in `r3d_18`; `between` is not used."""
    return _conv(channels_in, channels_out, (3, 3, 3), (stride, stride, stride))


def factorised(channels_in: int, channels_out: int, between: int, stride: int) -> nn.Module:
    """Space, norm, ReLU, time, with `between` channels between the two, as in `r2plus1d_18`."""
    return nn.Sequential(
        _conv(channels_in, between, (1, 3, 3), (1, stride, stride)),
        nn.BatchNorm3d(between),
        nn.ReLU(),
        _conv(between, channels_out, (3, 1, 1), (stride, 1, 1)),
    )


class VideoBlock(nn.Module):
    """Two convolutions of 3x3x3, whole or factorised, with a shortcut: all sides by `stride`, rounded up.

    The channels between space and time follow from the block's own channels, for both convolutions.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, split: bool) -> None:
        super().__init__()
        between = channels_in * channels_out * 27 // (channels_in * 9 + 3 * channels_out)
        make = factorised if split else whole
        first = make(channels_in, channels_out, between, stride)
        self.conv1 = nn.Sequential(first, nn.BatchNorm3d(channels_out), nn.ReLU())
        self.conv2 = nn.Sequential(make(channels_out, channels_out, between, 1), nn.BatchNorm3d(channels_out))
        self.relu = nn.ReLU()
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            projection = _conv(channels_in, channels_out, (1, 1, 1), (stride, stride, stride))
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(channels_out))

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """(B, C_in, T, H, W) -> (B, C_out, T', H', W')."""
        out: Tensor = self.relu(self.conv2(self.conv1(x_BCTHW)) + self.downsample(x_BCTHW))
        return out


class VideoResNet(ClipNetwork):
    """Base of both: a stem that keeps time, four layers of two blocks, a mean, one linear layer."""

    settings: VideoResNetSettings
    split: bool  # whether convolutions are factorised

    def __init__(self, settings: VideoResNetSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or VideoResNetSettings()
        self.stem = self._stem(s.width)
        channels = s.width
        for number in range(LAYERS):
            blocks: list[nn.Module] = []
            for block in range(BLOCKS):
                stride = 2 if number and not block else 1
                blocks.append(VideoBlock(channels, s.width * 2**number, stride, split=self.split))
                channels = s.width * 2**number
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, s.classes)
        start_convolutions(self)

    @classmethod
    @abstractmethod
    def _stem(cls, width: int) -> nn.Sequential:
        """The first layers: (B, 3, T, H, W) -> (B, width, T, H / 2, W / 2)."""

    @property
    def head(self) -> nn.Module:  # type: ignore[override]
        """The classifier, by the name of every network here; in files it is ``fc``."""
        return self.fc

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the mean over time and places."""
        x_BCTHW = self.stem(clip_to_volume(x_BTCHW))
        for number in range(LAYERS):
            x_BCTHW = self.get_submodule(f"layer{number + 1}")(x_BCTHW)
        return mean_over_volume(x_BCTHW)


class R3D18(VideoResNet):
    """torchvision's `r3d_18`."""

    split = False

    @classmethod
    def _stem(cls, width: int) -> nn.Sequential:
        return nn.Sequential(_conv(3, width, (3, 7, 7), (1, 2, 2)), nn.BatchNorm3d(width), nn.ReLU())


class R2Plus1D18(VideoResNet):
    """torchvision's `r2plus1d_18`; 45 channels between space and time of its stem, in proportion for other widths."""

    split = True

    @classmethod
    def _stem(cls, width: int) -> nn.Sequential:
        between = max(1, 45 * width // 64)
        return nn.Sequential(
            _conv(3, between, (1, 7, 7), (1, 2, 2)),
            nn.BatchNorm3d(between),
            nn.ReLU(),
            _conv(between, width, (3, 1, 1), (1, 1, 1)),
            nn.BatchNorm3d(width),
            nn.ReLU(),
        )
