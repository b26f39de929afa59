"""Losses on the classifier's input, added to cross-entropy by two of the rivals.

Which network uses which, and how strongly, belongs to the network's own file. Shapes: B clips, D features, K classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CenterLoss(nn.Module):
    """Half the squared distance of each feature to its class's centre (Wen et al. 2016, equations 2 to 4).

    Centres are no parameters: after each training batch they move towards the features of their class by `rate`, which
    is why they are part of the state that a checkpoint holds.

    Args:
        classes: K.
        dim: D.
        rate: the paper's alpha, 0 to 1.
    """

    def __init__(self, classes: int, dim: int, rate: float = 0.5) -> None:
        super().__init__()
        self.rate = rate
        self.centres_KD: Tensor
        self.register_buffer("centres_KD", torch.zeros(classes, dim))

    def forward(self, features_BD: Tensor, y_B: Tensor) -> Tensor:
        """Mean over the batch, a number."""
        away_BD = features_BD - self.centres_KD[y_B]
        if self.training:
            self._move(away_BD.detach(), y_B)
        return 0.5 * away_BD.square().sum(1).mean()

    @torch.no_grad()
    def _move(self, away_BD: Tensor, y_B: Tensor) -> None:
        """Equation 4; the 1 in its denominator keeps a class without clips in the batch where it is."""
        member_BK = F.one_hot(y_B, len(self.centres_KD)).to(away_BD.dtype)
        pull_KD = member_BK.T @ away_BD / (1 + member_BK.sum(0))[:, None]
        self.centres_KD += self.rate * pull_KD


def ec_stfl_loss(features_BD: Tensor, y_B: Tensor, eps: float = 1e-6) -> Tensor:
    """Expression-clustered spatiotemporal feature loss (Jiang et al. 2020), as its authors released it.

    For every clip, the mean L1 distance to the clips of its emotion times the mean inverse distance to the clips of
    other emotions; both means count one clip more than there are others. Then the mean over clips, divided by B once
    more, so that the loss fades with the batch as in the authors' code.

    Args:
        features_BD: what the classifier sees.
        y_B: emotions.
        eps: keeps denominators from 0.
    """
    # Written out: torch.cdist's gradient is not deterministic on every device.
    distance_BB = (features_BD[:, None] - features_BD[None]).abs().sum(-1)
    same_BB = (y_B[:, None] == y_B[None]).to(features_BD.dtype)
    other_BB = 1 - same_BB
    attraction_B = (distance_BB * same_BB).sum(1) / (same_BB.sum(1) + eps)
    repulsion_B = (other_BB / (distance_BB + eps)).sum(1) / (other_BB.sum(1) + 1 + eps)
    return (attraction_B * repulsion_B).mean() / len(features_BD)
