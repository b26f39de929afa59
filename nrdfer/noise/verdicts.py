"""Verdicts of a family of contrasts, named before anything was run: Holm's correction and an equivalence margin.

A contrast is announced, as holding or contradicted, if its p-value survives Holm's correction over the family. One
that is not announced shows no difference beyond the margin if its whole interval is within it, and is undecided
otherwise. Intervals belong to ``intervals``, the contrasts to ``nrdfer.config.noise``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nrdfer.evaluation.paired_tests import holm_of_families
from nrdfer.noise.intervals import Estimates, Values

HOLDS, CONTRADICTED, NO_DIFFERENCE, UNDECIDED = (
    "holds", "contradicted", "no difference beyond the margin", "undecided"
)  # fmt: skip
VERDICTS = (HOLDS, CONTRADICTED, NO_DIFFERENCE, UNDECIDED)
ALPHA = 0.05


def judge(found: Estimates, wanted_K: Sequence[int], margin: float) -> tuple[Values, npt.NDArray[np.str_]]:
    """Adjusted p-values and verdicts of families.

    Args:
        found: arrays (..., K).
        wanted_K: 1 or -1, the sign that each claim gives to its figure.
        margin: half the width of the zone in which a difference does not matter, in the figures' unit.

    Returns:
        Two arrays (..., K): of numbers, and of the names above.
    """
    adjusted_K = holm_of_families(found.p)
    announced_K = adjusted_K < ALPHA
    side_K = np.sign(found.value) * np.asarray(wanted_K)
    # where nothing varies nothing happened, e.g. a filter that never vetoes: no evidence of equality
    equal_K = (found.low > -margin) & (found.high < margin) & (found.high > found.low)
    verdicts_K = np.select(
        [announced_K & (side_K > 0), announced_K & (side_K < 0), equal_K],
        [HOLDS, CONTRADICTED, NO_DIFFERENCE],
        UNDECIDED,
    )
    return adjusted_K, verdicts_K
