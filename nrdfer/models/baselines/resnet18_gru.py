"""ResNet18+GRU (He et al. 2016; Chung et al. 2014): ResNet-18 and a GRU over frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from nrdfer.models.base import NetworkSettings
from nrdfer.models.baselines.frame_rnn import HIDDEN, FrameRNN, ResNet18Frames


@dataclass(frozen=True)
class ResNet18GRUSettings(NetworkSettings):
    """Sizes of ResNet18+GRU."""

    width: int = 64  # channels of the first layer; doubled three times
    hidden: int = HIDDEN  # of the GRU


PRESETS = {
    "paper": ResNet18GRUSettings(),
    "sample": ResNet18GRUSettings(image_size=64, width=16, hidden=64),
}


class ResNet18GRU(FrameRNN):
    """The network."""

    settings: ResNet18GRUSettings

    def __init__(self, settings: ResNet18GRUSettings | None = None) -> None:
        s = settings or ResNet18GRUSettings()
        super().__init__(s, ResNet18Frames(s.width), nn.GRU(8 * s.width, s.hidden, batch_first=True))
