"""ResNet18+LSTM (He et al. 2016; Hochreiter and Schmidhuber 1997): ResNet-18 and an LSTM over frames."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from nrdfer.models.base import NetworkSettings
from nrdfer.models.baselines.frame_rnn import HIDDEN, FrameRNN, ResNet18Frames


@dataclass(frozen=True)
class ResNet18LSTMSettings(NetworkSettings):
    """Sizes of ResNet18+LSTM."""

    width: int = 64  # channels of the first layer; doubled three times
    hidden: int = HIDDEN  # of the LSTM


PRESETS = {
    "paper": ResNet18LSTMSettings(),
    "sample": ResNet18LSTMSettings(image_size=64, width=16, hidden=64),
}


class ResNet18LSTM(FrameRNN):
    """The network."""

    settings: ResNet18LSTMSettings

    def __init__(self, settings: ResNet18LSTMSettings | None = None) -> None:
        s = settings or ResNet18LSTMSettings()
        super().__init__(s, ResNet18Frames(s.width), nn.LSTM(8 * s.width, s.hidden, batch_first=True))
