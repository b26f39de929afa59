"""Paired comparison of two networks on the same clips: McNemar's exact test, a paired bootstrap, Holm's correction.

Both answer the same clips, so what counts is where they differ. The tests speak of these two trainings and of other
clips like these; how much another training would differ belongs to ``seeds``. Shapes: N clips.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest, bootstrap

from nrdfer.evaluation.bootstrap import DRAWS, LEVEL
from nrdfer.evaluation.result_table import MEAN, POOLED, SINGLE, UAR, WAR

_SEED = 0  # of the bootstrap: the same answers always give the same intervals
_NO_LENGTH = 1e-12  # of an interval: sums are rounded
_BATCH = 250  # draws at a time: memory stays below 100 MiB for all of DFEW's clips
Shares = npt.NDArray[Any]  # (N,) of bool, or of shares of trainings, 0 to 1, that are right


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test: the clips that only one of two networks gets right, and the p-value of their numbers."""

    only_a: int
    only_b: int
    p_value: float  # two-sided; 1 where no clip tells them apart


@dataclass(frozen=True)
class Difference:
    """One measure of A minus that of B, as a fraction, with its 95 % bootstrap interval.

    Attributes:
        measure: WAR, UAR, or an emotion: its recall.
        aggregate: MEAN or POOLED over several folds, else SINGLE.
        value: the difference.
        low: of the interval; `value` itself where there is none.
        high: likewise.
        note: why there is no interval, or one that is too small; else "".
    """

    measure: str
    aggregate: str
    value: float
    low: float
    high: float
    note: str = ""

    @property
    def has_interval(self) -> bool:
        """Whether the clips give one; a length of 0 is no certainty."""
        return self.high - self.low > _NO_LENGTH


def mcnemar_exact(right_a: Shares, right_b: Shares) -> McNemar:
    """Test whether two networks are right equally often (McNemar 1947; the exact, binomial form).

    It takes clips as independent; where several show the same person or film, the p-value is too small.

    Args:
        right_a: (N,) whether A answers each clip correctly.
        right_b: (N,) the same of B, in the same order of clips.

    Raises:
        ValueError: different numbers of clips, or none.
    """
    _check(len(right_a), right_b)
    a, b = np.asarray(right_a, bool), np.asarray(right_b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    apart = only_a + only_b
    p_value = float(binomtest(only_a, apart, 0.5).pvalue) if apart else 1.0
    return McNemar(only_a, only_b, p_value)


def paired_bootstrap(
    right_a: Shares,
    right_b: Shares,
    truth: npt.NDArray[np.integer[Any]],
    folds: Sequence[str],
    emotions: Sequence[str],
    *,
    draws: int = DRAWS,
) -> tuple[Difference, ...]:
    """Differences of WAR, UAR and each recall, with percentile intervals of a bootstrap over clips.

    Clips are drawn again within each class of each fold, and a clip that is drawn counts for both networks. Of several
    trainings a clip's outcome is the share that is right.

    Args:
        right_a: (N,) whether A answers each clip correctly, or which share of its trainings does.
        right_b: (N,) the same of B, in the same order of clips.
        truth: (N,) true classes, indices of `emotions`.
        folds: (N,) in which fold each clip is tested.
        emotions: the label set.
        draws: of the bootstrap.

    Returns:
        Over several folds the differences of their means and of the pooled figures; over one, its own. Emotions
        without a clip are left out.

    Raises:
        ValueError: different numbers of clips, or none.
    """
    for given in (right_b, truth, folds):
        _check(len(right_a), given)
    apart = np.asarray(right_a, np.float64) - np.asarray(right_b, np.float64)
    names, fold_N = np.unique(np.asarray(folds, dtype=str), return_inverse=True)
    strata, where = np.unique(np.stack([fold_N, truth], axis=1), axis=0, return_inverse=True)
    where = where.reshape(-1)
    rows, weights = _weights(strata, np.bincount(where), len(names), emotions)
    outcomes = [apart[where == stratum] for stratum in range(len(strata))]
    drawn = [len(outcome) > 1 for outcome in outcomes]  # a single clip is drawn as itself every time
    constant = weights @ np.array(
        [0.0 if several else outcome[0] for several, outcome in zip(drawn, outcomes, strict=True)]
    )
    values = weights @ np.array([outcome.mean() for outcome in outcomes])
    if any(drawn):
        found = bootstrap(
            [outcome for several, outcome in zip(drawn, outcomes, strict=True) if several],
            lambda *again, axis: _weighted(weights[:, drawn], constant, again, axis),
            n_resamples=draws,
            batch=_BATCH,
            vectorized=True,
            confidence_level=LEVEL,
            method="percentile",
            random_state=np.random.default_rng(_SEED),
        ).confidence_interval
        low, high = found.low, found.high
    else:
        low = high = values
    alone = (weights != 0) & ~np.array(drawn)
    notes = (
        _note(int(single), int(used), float(length))
        for single, used, length in zip(alone.sum(1), (weights != 0).sum(1), high - low, strict=True)
    )
    return tuple(
        Difference(measure, aggregate, float(value), float(first), float(last), note)
        for (measure, aggregate), value, first, last, note in zip(rows, values, low, high, notes, strict=True)
    )


def _note(single: int, strata: int, length: float) -> str:
    """What a reader of an interval must know.

    Args:
        single: strata of one clip, which is drawn as itself every time.
        strata: all of the measure's.
        length: of the interval.
    """
    if single == strata:
        return "no interval: each emotion of each split has one clip, and drawing it again gives the same"
    if length <= _NO_LENGTH:
        return "no interval: the two differ alike on all clips of an emotion and split, so drawing them gives the same"
    if single:
        return f"the interval is too small: {single} of {strata} emotions of splits have one clip, drawn as itself"
    return ""


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P-values adjusted for their number (Holm 1979), in the given order.

    All claims whose adjusted value is below a level together are wrong at most that often, whatever their dependence.

    Raises:
        ValueError: a value that is no probability.
    """
    p = np.asarray(p_values, np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"a p-value is between 0 and 1, but given are {', '.join(map(str, p_values))}")
    return tuple(holm_of_families(p).tolist())


def holm_of_families(p_K: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`holm` of many families at once: probabilities (..., K), each family on the last axis."""
    order_K = np.argsort(p_K, axis=-1, kind="stable")
    rising_K = np.take_along_axis(p_K, order_K, -1) * np.arange(p_K.shape[-1], 0, -1)
    adjusted_K = np.empty_like(rising_K)
    np.put_along_axis(adjusted_K, order_K, np.minimum(np.maximum.accumulate(rising_K, -1), 1), -1)
    return adjusted_K


def _weighted(
    weights: npt.NDArray[np.float64], constant: npt.NDArray[np.float64], strata: Sequence[Any], axis: int
) -> Any:
    """Measures (M, ...) of outcomes in strata: every measure is a weighted sum of the strata's means."""
    means = np.stack([outcome.mean(axis) for outcome in strata])  # (C, ...)
    return np.tensordot(weights, means, axes=1) + constant.reshape(-1, *[1] * (means.ndim - 1))


def _weights(
    strata: npt.NDArray[np.int64], clips: npt.NDArray[np.int64], folds: int, emotions: Sequence[str]
) -> tuple[list[tuple[str, str]], npt.NDArray[np.float64]]:
    """Measure and aggregate of each row, and its weights (M, C) over the strata."""
    fold_C, class_C = strata.T
    in_fold = clips / np.bincount(fold_C, clips, folds)[fold_C] / folds
    classes_in_fold = np.bincount(fold_C, minlength=folds)[fold_C]
    of_class = np.bincount(class_C, clips, len(emotions))
    share = clips / of_class[class_C]  # of the clips of its class
    folds_with = np.bincount(class_C, minlength=len(emotions))
    there = np.flatnonzero(of_class)
    one = class_C == there[:, None]  # (K', C)
    pooled = [share / len(there), clips / clips.sum(), *(one * share)]
    measures = (UAR, WAR, *(emotions[int(k)] for k in there))
    if folds == 1:
        return [(measure, SINGLE) for measure in measures], np.stack(pooled)
    means = [1 / classes_in_fold / folds, in_fold, *(one / folds_with[class_C])]
    rows = [(measure, aggregate) for aggregate in (MEAN, POOLED) for measure in measures]
    return rows, np.stack([*means, *pooled])


def _check(clips: int, other: Any) -> None:
    if len(other) != clips or clips == 0:
        raise ValueError(f"{clips} and {len(other)} clips; a pair needs the same ones, at least 1")
