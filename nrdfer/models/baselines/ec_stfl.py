"""EC-STFL (Jiang et al. 2020, the paper that introduces DFEW): 3D ResNet-18 with a loss that clusters expressions.

The network is ``resnet3d``'s and so are its costs; only the objective differs. Shapes: B clips, D features, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from nrdfer.models.base import unit_clips
from nrdfer.models.baselines.resnet3d import ResNet3D, ResNet3DSettings
from nrdfer.models.losses import ec_stfl_loss


@dataclass(frozen=True)
class ECSTFLSettings(ResNet3DSettings):
    """Sizes of the network, and the weight of its loss."""

    clustering_weight: float = 10.0  # gamma of the authors' released code


PRESETS = {"paper": ECSTFLSettings(), "sample": ECSTFLSettings(image_size=64, width=12)}


class ECSTFL(ResNet3D):
    """The network."""

    settings: ECSTFLSettings

    def __init__(self, settings: ECSTFLSettings | None = None) -> None:
        super().__init__(settings or ECSTFLSettings())

    def objective(self, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        """See `ClipNetwork`: cross-entropy plus `clustering_weight` times the clustering loss."""
        features_BD = self.represent(unit_clips(x_BTCHW, self.settings))
        logits_BK: Tensor = self.head(features_BD)
        clustered = ec_stfl_loss(features_BD, y_B)
        return F.cross_entropy(logits_BK, y_B) + self.settings.clustering_weight * clustered, logits_BK
