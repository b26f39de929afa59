"""95 % intervals of WAR, UAR and recalls by the bootstrap over clips.

Clips are drawn anew within each class of each fold, because folds are cut by class: so class counts stay as they are,
and every draw has a UAR. What an interval says is how much a figure moves with the choice of test clips; it says
nothing of another training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]  # (K, K): rows are true classes
DRAWS = 2000
LEVEL = 0.95


def resample(confusion: Counts, rng: np.random.Generator, draws: int = DRAWS) -> Counts:
    """Confusion matrices (draws, K, K) of as many clips of each class, drawn with replacement."""
    drawn = np.zeros((draws, *confusion.shape), np.int64)
    for row, counts in enumerate(confusion):
        if counts.sum():
            drawn[:, row] = rng.multinomial(counts.sum(), counts / counts.sum(), size=draws)
    return drawn


def wars_of(confusions: Counts) -> npt.NDArray[np.float64]:
    """WAR of each matrix, (...)."""
    hits = np.diagonal(confusions, axis1=-2, axis2=-1).sum(-1)
    return np.asarray(hits / confusions.sum((-2, -1)), np.float64)


def interval(values: Sequence[float] | npt.NDArray[np.float64]) -> tuple[float, float]:
    """The middle `LEVEL` of bootstrap values."""
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
