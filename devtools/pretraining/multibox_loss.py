"""RetinaFace's multi-task loss (Deng et al. 2020, arXiv:1905.00641, section 3) without dense regression.

Weights and mining ratio are those of github.com/biubug6/Pytorch_Retinaface. Priors are assigned to faces
in `devtools.pretraining.prior_matching`.

Shape legend: B batch, P priors.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class MultiBoxLoss:
    """Face or background, box and five points, each averaged over the positive priors of the batch.

    Args:
        negatives_per_positive: background priors taken for each positive one, the most wrongly scored first.
        least_negatives: background priors taken in a picture with few or no faces; without it, pictures of
            empty background would teach nothing.
        box_weight: weight of the box term.
        points_weight: weight of the points' term.
    """

    negatives_per_positive: int = 7
    least_negatives: int = 16
    box_weight: float = 2.0
    points_weight: float = 1.0

    def __call__(
        self,
        prediction: tuple[Tensor, Tensor, Tensor],
        positive_BP: Tensor,
        boxes_BP4: Tensor,
        points_BP10: Tensor,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of a batch.

        Args:
            prediction: the network's (boxes_BP4, logits_BP2, points_BP10).
            positive_BP: bool, priors that belong to a face.
            boxes_BP4: encoded boxes wanted at positive priors.
            points_BP10: encoded points wanted at positive priors.

        Returns:
            The loss (scalar) and its three terms, unweighted and detached: ``score``, ``box``, ``points``.
        """
        predicted_boxes_BP4, logits_BP2, predicted_points_BP10 = prediction
        n_positive = positive_BP.sum().clamp(min=1).float()

        entropy_BP = F.cross_entropy(logits_BP2.transpose(1, 2), positive_BP.long(), reduction="none")
        chosen_BP = positive_BP | self._hard_negatives(entropy_BP.detach(), positive_BP)
        score = (entropy_BP * chosen_BP).sum() / n_positive

        mask_BP1 = positive_BP.unsqueeze(-1)
        box = F.smooth_l1_loss(predicted_boxes_BP4 * mask_BP1, boxes_BP4 * mask_BP1, reduction="sum") / n_positive
        points = (
            F.smooth_l1_loss(predicted_points_BP10 * mask_BP1, points_BP10 * mask_BP1, reduction="sum") / n_positive
        )
        loss = score + self.box_weight * box + self.points_weight * points
        return loss, {"score": score.detach(), "box": box.detach(), "points": points.detach()}

    def _hard_negatives(self, entropy_BP: Tensor, positive_BP: Tensor) -> Tensor:
        """Background priors with the greatest loss, in a number proportional to the positives of each picture."""
        wanted_B1 = (self.negatives_per_positive * positive_BP.sum(1, keepdim=True)).clamp(min=self.least_negatives)
        order_BP = entropy_BP.masked_fill(positive_BP, -1.0).argsort(dim=1, descending=True)
        rank_BP = torch.empty_like(order_BP)
        rank_BP.scatter_(1, order_BP, torch.arange(order_BP.shape[1], device=order_BP.device).expand_as(order_BP))
        return (rank_BP < wanted_B1) & ~positive_BP
