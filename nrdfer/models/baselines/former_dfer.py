"""Former-DFER (Zhao and Liu 2021): ResNet-18 with a transformer over places inside, and one over frames after it.

The design is the authors' release (github.com/zengqunzhao/Former-DFER): one spatial layer after ResNet's third layer,
three temporal ones with a learned class token. It counts 8.30 G multiply-adds where the paper prints 9.11; three
spatial layers and 16 temporal tokens would count 9.11, but that is a fit, not a source. Shapes: B clips, T frames,
N = B * T, C channels, H x W, Q places, D = features of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor, nn

from nrdfer.models.base import ClipNetwork, NetworkSettings, start_convolutions
from nrdfer.models.encoder import Encoder, EncoderSettings
from nrdfer.models.stem import BasicBlock, make_stem


@dataclass(frozen=True)
class FormerDFERSettings(NetworkSettings):
    """Sizes of Former-DFER."""

    width: int = 64  # channels of ResNet's first layer; doubled three times
    spatial_depth: int = 1
    temporal_depth: int = 3
    heads: int = 8
    spatial_dim_head: int = 32
    temporal_dim_head: int = 64
    spatial_mlp: int = 512
    temporal_mlp: int = 1024
    class_token: bool = True  # False: the mean of the frames' states, hence 16 tokens
    position_std: float = 1.0

    @property
    def places(self) -> int:
        """Q."""
        return ceil(self.image_size / 16) ** 2


PRESETS = {
    "paper": FormerDFERSettings(),
    "sample": FormerDFERSettings(
        image_size=64,
        width=16,
        temporal_depth=2,
        heads=4,
        spatial_dim_head=16,
        temporal_dim_head=16,
        spatial_mlp=96,
        temporal_mlp=128,
        position_std=0.02,
    ),
}


class FormerDFER(ClipNetwork):
    """The network."""

    settings: FormerDFERSettings

    def __init__(self, settings: FormerDFERSettings | None = None) -> None:
        super().__init__()
        self.settings = s = settings or FormerDFERSettings()
        self.stem = make_stem("resnet7x7", [s.width, 2 * s.width, 4 * s.width], (2, 2, 2))
        self.place_QC = nn.Parameter(s.position_std * torch.randn(s.places, 4 * s.width))
        self.spatial = Encoder(
            4 * s.width, EncoderSettings(s.spatial_depth, s.heads, s.spatial_dim_head, s.spatial_mlp)
        )
        self.layer4 = nn.Sequential(BasicBlock(4 * s.width, 8 * s.width, 2), BasicBlock(8 * s.width, 8 * s.width))
        dim = 8 * s.width
        self.token_D = nn.Parameter(s.position_std * torch.randn(dim)) if s.class_token else None
        self.time_TD = nn.Parameter(s.position_std * torch.randn(s.frames + s.class_token, dim))
        self.temporal = Encoder(dim, EncoderSettings(s.temporal_depth, s.heads, s.temporal_dim_head, s.temporal_mlp))
        self.head = nn.Linear(dim, s.classes)
        start_convolutions(self)
        self.lay_out(torch.channels_last)

    def _frames(self, x_NCHW: Tensor) -> Tensor:
        """The convolutional spatial transformer: (N, 3, H, W) -> (N, D)."""
        maps_NCHW = self.stem(x_NCHW)
        tokens_NQC = self.spatial(maps_NCHW.flatten(2).transpose(1, 2) + self.place_QC)
        maps_NCHW = tokens_NQC.transpose(1, 2).reshape(maps_NCHW.shape)
        deep_NDHW: Tensor = self.layer4(maps_NCHW)
        return deep_NDHW.mean((2, 3))

    def represent(self, x_BTCHW: Tensor) -> Tensor:
        """See `ClipNetwork`: the temporal transformer's class token, or the mean of its frames."""
        features_ND = self._frames(self.as_frames(x_BTCHW))
        tokens_BTD = features_ND.view(*x_BTCHW.shape[:2], -1)
        if self.token_D is not None:
            tokens_BTD = torch.cat([self.token_D.expand(tokens_BTD.shape[0], 1, -1), tokens_BTD], dim=1)
        encoded_BTD: Tensor = self.temporal(tokens_BTD + self.time_TD)
        return encoded_BTD.mean(1) if self.token_D is None else encoded_BTD[:, 0]
