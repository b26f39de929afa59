"""C3D (Tran et al. 2015): eight 3x3x3 convolutions and three fully connected layers.

The published 38.57 G multiply-adds fit the original form: biases, no batch normalisation, and padding before the last
pooling. The code of DFEW's authors (github.com/jiangxingxun/DFEW), whose paper printed the accuracy, normalises: preset
``dfew-authors``. Shapes: B clips, C channels, T frames, H x W.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from nrdfer.core.stored_settings import later
from nrdfer.models.base import ClipNetwork, NetworkSettings, start_unnormed
from nrdfer.models.layers3d import MaxPool3d, clip_to_volume


@dataclass(frozen=True)
class C3DSettings(NetworkSettings):
    """Sizes of C3D.

    Raises:
        ValueError: too few frames to be halved four times.
    """

    width: int = 64  # channels of the first convolution; the others have 2, 4 and 8 times as many
    hidden: int = 4096  # of the fully connected layers
    dropout: float = 0.5
    norm: bool = later(False)  # batch normalisation after every convolution

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 16:
            raise ValueError(f"C3D halves time four times and needs at least 16 frames, not {self.frames}")

    @property
    def flat(self) -> int:
        """Number of values per clip after the last pooling."""
        side, time = self.image_size // 16 // 2 + 1, self.frames // 16
        return 8 * self.width * time * side**2


PRESETS = {
    "paper": C3DSettings(),
    "dfew-authors": C3DSettings(norm=True),
    "sample": C3DSettings(image_size=64, width=12, hidden=192),
}


class C3D(ClipNetwork):
    """The network."""

    settings: C3DSettings

    def __init__(self, settings: C3DSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or C3DSettings()
        layers: list[nn.Module] = []
        channels = 3
        for number, convolutions in enumerate([(1,), (2,), (4, 4), (8, 8), (8, 8)]):
            for factor in convolutions:
                convolution = nn.Conv3d(channels, factor * s.width, 3, padding=1)
                channels = factor * s.width
                layers += [convolution, nn.BatchNorm3d(channels), nn.ReLU()] if s.norm else [convolution, nn.ReLU()]
            time = 2 if number else 1  # the first pooling keeps time
            padding = (0, 1, 1) if number == 4 else (0, 0, 0)
            layers.append(MaxPool3d((time, 2, 2), (time, 2, 2), padding))
        self.convolutions = nn.Sequential(*layers)
        self.hidden = nn.Sequential(
            nn.Linear(s.flat, s.hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
            nn.Linear(s.hidden, s.hidden),
            nn.ReLU(),
            nn.Dropout(s.dropout),
        )
        start_unnormed(self)
        self.head = nn.Linear(s.hidden, s.classes)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the second fully connected layer."""
        features_BD: Tensor = self.hidden(self.convolutions(clip_to_volume(x_BTCHW)).flatten(1))
        return features_BD
