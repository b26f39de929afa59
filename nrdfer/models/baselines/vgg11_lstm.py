"""VGG11+LSTM (Simonyan and Zisserman 2014; Hochreiter and Schmidhuber 1997): VGG-11 and an LSTM over frames.

The published 31.65 G multiply-adds fit VGG-11 with biases and without norms, up to its first fully connected layer,
which always sees 7 x 7 places. Shapes: N frames, C channels, H x W, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from nrdfer.models.base import NetworkSettings, start_unnormed
from nrdfer.models.baselines.frame_rnn import HIDDEN, FrameRNN

#: Channels of VGG-11's convolutions as multiples of its first; 0 is a max-pooling.
LAYOUT = (1, 0, 2, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0)


@dataclass(frozen=True)
class VGG11LSTMSettings(NetworkSettings):
    """Sizes of VGG11+LSTM.

    Raises:
        ValueError: frames too small to be halved five times.
    """

    width: int = 64  # channels of the first convolution
    grid: int = 7  # places along a side that the fully connected layer sees
    features: int = 4096  # F
    hidden: int = HIDDEN  # of the LSTM

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < 32:
            raise ValueError(f"VGG-11 halves frames five times and needs at least 32 px, not {self.image_size}")


PRESETS = {
    "paper": VGG11LSTMSettings(),
    "sample": VGG11LSTMSettings(image_size=64, width=16, grid=2, features=256, hidden=64),
}


def averaging(size: int, out: int) -> Tensor:
    """Weights (out, size) that average a line of `size` values to `out`, as adaptive average pooling does."""
    weights = torch.zeros(out, size)
    for i in range(out):
        first, last = i * size // out, ceil((i + 1) * size / out)
        weights[i, first:last] = 1 / (last - first)
    return weights


class VGG11Frames(nn.Module):
    """VGG-11 up to its first fully connected layer: (N, 3, H, W) -> (N, F)."""

    def __init__(self, settings: VGG11LSTMSettings) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for factor in LAYOUT:
            if factor:
                layers += [nn.Conv2d(channels, factor * settings.width, 3, padding=1), nn.ReLU()]
                channels = factor * settings.width
            else:
                layers.append(nn.MaxPool2d(2))
        self.convolutions = nn.Sequential(*layers)
        # Matrices, because adaptive pooling's gradient has no deterministic form on a GPU.
        self.average: Tensor
        self.register_buffer("average", averaging(settings.image_size // 32, settings.grid), persistent=False)
        self.fc = nn.Linear(channels * settings.grid**2, settings.features)
        start_unnormed(self)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """See the class."""
        maps_NCHW = self.convolutions(x_NCHW)
        grid_NCgg = self.average @ maps_NCHW @ self.average.T
        features_NF: Tensor = self.fc(grid_NCgg.flatten(1)).relu()
        return features_NF


class VGG11LSTM(FrameRNN):
    """The network."""

    settings: VGG11LSTMSettings

    def __init__(self, settings: VGG11LSTMSettings | None = None) -> None:
        s = settings or VGG11LSTMSettings()
        super().__init__(s, VGG11Frames(s), nn.LSTM(s.features, s.hidden, batch_first=True))
