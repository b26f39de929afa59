"""UAR, WAR and the confusion matrix.

WAR is accuracy; UAR is the mean of the recalls of the classes that occur (paper, section 4.2). A class without a
single clip has no recall, and counting it as 0 would punish a small fold, so it is left out of the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Labels = Sequence[int] | npt.NDArray[np.integer[Any]]


def confusion_matrix(truth: Labels, predicted: Labels, classes: int) -> npt.NDArray[np.int64]:
    """(K, K) counts of `classes` K: rows are true classes, columns predicted ones.

    Raises:
        ValueError: no clip, or different numbers of them.
    """
    if len(truth) != len(predicted) or len(truth) == 0:
        raise ValueError(f"{len(truth)} true and {len(predicted)} predicted labels; need as many of each, at least 1")
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (np.asarray(truth), np.asarray(predicted)), 1)
    return counts


def recalls(confusion: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Recall of each class, (..., K) of matrices (..., K, K); NaN for a class without clips."""
    clips = confusion.sum(-1)
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return np.where(clips > 0, hits / np.maximum(clips, 1), np.nan)


def uar(confusion: npt.NDArray[np.int64]) -> float:
    """Unweighted average recall, 0 to 1."""
    return float(np.nanmean(recalls(confusion)))


def war(confusion: npt.NDArray[np.int64]) -> float:
    """Weighted average recall (accuracy), 0 to 1."""
    return float(np.trace(confusion) / confusion.sum())
