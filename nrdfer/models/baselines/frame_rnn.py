"""Base of the recurrent baselines: a 2D network encodes each frame, a recurrent one reads the frames in order.

The pairs of networks are defined in ``vgg11_lstm``, ``resnet18_lstm`` and ``resnet18_gru``. Shapes: B clips, T frames,
N = B * T, F features a frame, D = hidden width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.stem import make_stem

#: Hidden width. 128 is the one power of two with which all three published costs fit.
HIDDEN = 128


class FrameRNN(ClipNetwork):
    """A clip's class is read from the recurrent network's last state.

    Weights of the frame network are its maker's to start.

    Args:
        settings: sizes.
        frame_network: frames (N, 3, H, W) -> (N, F).
        recurrent: (B, T, F) -> (B, T, D), batch first.
    """

    def __init__(self, settings: NetworkSettings, frame_network: nn.Module, recurrent: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.settings = settings
        self.frame_network = frame_network
        self.recurrent = recurrent
        self.head = nn.Linear(recurrent.hidden_size, settings.classes)
        self.lay_out(torch.channels_last)

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the state after the last frame."""
        x_NCHW = self.as_frames(x_BTCHW)
        features_BTF = self.frame_network(x_NCHW).view(*x_BTCHW.shape[:2], -1)
        states_BTD: Tensor = self.recurrent(features_BTF)[0]
        return states_BTD[:, -1]


class ResNet18Frames(nn.Module):
    """ResNet-18 (He et al. 2016) without its classifier: (N, 3, H, W) -> (N, 8 * width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.trunk = make_stem("resnet7x7", [width, 2 * width, 4 * width, 8 * width], (2, 2, 2, 2))
        start_convolutions(self)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """See the class."""
        maps_NCHW: Tensor = self.trunk(x_NCHW)
        return maps_NCHW.mean((2, 3))
