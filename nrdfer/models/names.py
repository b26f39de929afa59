"""Names of the networks, and their titles as the paper's tables print them; imports nothing, so that the graph may ask.

What a network is belongs to ``registry``.
"""

from __future__ import annotations

from collections.abc import Mapping

TITLES: Mapping[str, str] = {
    "nr-dfernet": "NR-DFERNet",
    "c3d": "C3D",
    "p3d": "P3D",
    "r2plus1d-18": "R(2+1)D18",
    "r3d-18": "3D ResNet18",
    "i3d-rgb": "I3D-RGB",
    "vgg11-lstm": "VGG11+LSTM",
    "resnet18-lstm": "ResNet18+LSTM",
    "resnet18-gru": "ResNet18+GRU",
    "r3d-18-center-loss": "3D R.18+Center Loss",
    "ec-stfl": "EC-STFL",
    "former-dfer": "Former-DFER",
    "r3d-18-torchvision": "r3d_18",
    "r2plus1d-18-torchvision": "r2plus1d_18",
    "reslstm": "ResLSTM",
}
