"""95 % intervals: of WAR, UAR and recalls by the bootstrap over clips, of a single share by Wilson's formula.

Clips are resampled within each class of each fold, because folds are stratified by class: so class counts stay as they
are, and every draw has a UAR. An interval shows how much a figure varies with the choice of test clips, not with
another training.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]  # (K, K): rows are true classes
DRAWS = 2000
LEVEL = 0.95
_Z = 1.959963984540054  # of a 95 % interval


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


def wilson(hits: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Wilson's 95 % interval of shares: lower and upper bounds (K,), 0 to 1; NaN where `of` is 0.

    It holds for clips that are independent of each other; where some show the same person or film it is too narrow.
    """
    n = np.where(of > 0, of, np.nan)
    share = hits / n
    middle = share + _Z**2 / (2 * n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    # of none and of all right the share itself is a bound; rounding may not put it outside, where no bar can be drawn
    low, high = np.minimum((middle - half) / scale, share), np.maximum((middle + half) / scale, share)
    return np.maximum(low, 0.0), np.minimum(high, 1.0)
