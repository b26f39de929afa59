"""ResLSTM, the ResNet+LSTM of DFEW's authors: a bottleneck ResNet a frame, an LSTM of three layers, all its states.

Their code (github.com/jiangxingxun/DFEW) is the only public source behind the row ResNet18+LSTM of their paper: four
layers of two bottleneck blocks (26 weight layers, 2,048 features), 256 hidden units, and a classifier that sees the
states after all frames. It costs 10.0 G; the published 7.78 G fit ``resnet18_lstm``. Shapes: B clips, T frames,
N = B * T, C channels, H x W, F features a frame, D hidden units.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.stem import conv3x3

EXPANSION = 4  # output channels of a block, in those of its 3x3 convolution
LAYERS, BLOCKS = 4, 2


@dataclass(frozen=True)
class ResLSTMSettings(NetworkSettings):
    """Sizes of ResLSTM."""

    width: int = 64  # channels of the first layer's 3x3 convolutions; doubled three times
    hidden: int = 256  # of every layer of the LSTM
    recurrent_depth: int = 3


PRESETS = {"paper": ResLSTMSettings(), "sample": ResLSTMSettings(image_size=64, width=8, hidden=64)}


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut (He et al. 2016): (N, C_in, H, W) -> (N, 4 * inner, H', W')."""

    def __init__(self, channels_in: int, inner: int, stride: int) -> None:
        super().__init__()
        channels_out = EXPANSION * inner
        self.reduce = nn.Sequential(nn.Conv2d(channels_in, inner, 1, bias=False), nn.BatchNorm2d(inner), nn.ReLU())
        self.mix = nn.Sequential(conv3x3(inner, inner, stride), nn.BatchNorm2d(inner), nn.ReLU())
        self.expand = nn.Sequential(nn.Conv2d(inner, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))
        self.relu = nn.ReLU()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            projection = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels_out))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """See the class; height and width by the stride, rounded up."""
        out: Tensor = self.relu(self.expand(self.mix(self.reduce(x_NCHW))) + self.shortcut(x_NCHW))
        return out


class ResLSTM(ClipNetwork):
    """The network."""

    settings: ResLSTMSettings

    def __init__(self, settings: ResLSTMSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or ResLSTMSettings()
        layers: list[nn.Module] = [
            nn.Conv2d(3, s.width, 7, 2, 3, bias=False),
            nn.BatchNorm2d(s.width),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        channels = s.width
        for number in range(LAYERS):
            for block in range(BLOCKS):
                layers.append(Bottleneck(channels, s.width * 2**number, 2 if number and not block else 1))
                channels = EXPANSION * s.width * 2**number
        self.trunk = nn.Sequential(*layers)
        start_convolutions(self)
        self.recurrent = nn.LSTM(channels, s.hidden, s.recurrent_depth, batch_first=True)
        self.head = nn.Linear(s.frames * s.hidden, s.classes)
        self.lay_out(torch.channels_last)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the last layer's states after all frames, side by side."""
        features_NF = self.trunk(self.as_frames(x_BTCHW)).mean((2, 3))
        states_BTD: Tensor = self.recurrent(features_NF.view(*x_BTCHW.shape[:2], -1))[0]
        return states_BTD.flatten(1)
