"""3D ResNet-18 with Center Loss (Hara et al. 2018; Wen et al. 2016): features of an emotion gather round a centre.

The network is ``resnet3d``'s and so are its costs; only the objective differs. Shapes: B clips, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nrdfer.models.base import unit_clips
from nrdfer.models.baselines.resnet3d import ResNet3D, ResNet3DSettings
from nrdfer.models.losses import CenterLoss


@dataclass(frozen=True)
class CenterLossSettings(ResNet3DSettings):
    """Sizes of the network, and the loss's two numbers (Wen et al.'s for face recognition)."""

    center_weight: float = 0.003  # the paper's lambda
    center_rate: float = 0.5  # the paper's alpha


PRESETS = {"paper": CenterLossSettings(), "sample": CenterLossSettings(image_size=64, width=12)}


class ResNet3DCenterLoss(ResNet3D):
    """The network and its centres."""

    settings: CenterLossSettings

    def __init__(self, settings: CenterLossSettings | None = None) -> None:
        s = settings or CenterLossSettings()
        super().__init__(s)
        self.center_loss = CenterLoss(s.classes, s.dim, s.center_rate)

    def objective(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """See `ClipNetwork`: cross-entropy plus `center_weight` times the center loss."""
        features_BD = self.represent(unit_clips(x_BTCHW, self.settings))
        logits_BK: Tensor = self.head(features_BD)
        gathered = self.center_loss(features_BD, y_B)
        return F.cross_entropy(logits_BK, y_B) + self.settings.center_weight * gathered, logits_BK
