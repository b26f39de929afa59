"""The figures of one row: UAR, WAR and recalls of its predictions, over folds and pooled, with intervals.

How answers are read from predictions belongs to ``apply_filter``; which rows there are to ``nrdfer.experiments``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nrdfer.evaluation.apply_filter import Labels
from nrdfer.evaluation.bootstrap import DRAWS, Counts, interval, resample, wars_of
from nrdfer.evaluation.metrics import confusion_matrix, recalls
from nrdfer.evaluation.result_table import MEAN, POOLED, SINGLE, UAR, WAR, Figure

_SEED = 0  # of the bootstrap: the same predictions always give the same intervals
Values = npt.NDArray[np.float64]


def figures_of(
    answers: Mapping[str, tuple[Labels, Labels]],
    protocol: str,
    emotions: Sequence[str],
    *,
    by_emotion: bool = False,
    draws: int = DRAWS,
) -> tuple[Figure, ...]:
    """All figures of one protocol, in percent.

    Args:
        answers: split -> true and predicted classes of its test clips.
        protocol: honest or paper.
        emotions: the label set.
        by_emotion: also the recall of each emotion.
        draws: of the bootstrap, for the intervals.

    Returns:
        Over several splits their mean and the pooled figures; over one, its own.

    Raises:
        ValueError: no split, or a split without clips.
    """
    if not answers:
        raise ValueError("no split to take figures of")
    counts = np.stack([confusion_matrix(*answers[split], len(emotions)) for split in sorted(answers)])  # (F, K, K)
    named = emotions if by_emotion else ()
    rng = np.random.default_rng(_SEED)
    drawn = np.stack([resample(fold, rng, draws=draws) for fold in counts], axis=1)  # (draws, F, K, K)
    if len(counts) == 1:
        return _figures(counts[0], drawn[:, 0], protocol, SINGLE, named)
    return (
        *_figures(counts, drawn, protocol, MEAN, named),
        *_figures(counts.sum(0), drawn.sum(1), protocol, POOLED, named),
    )


def _figures(
    counts: Counts, drawn: Counts, protocol: str, aggregate: str, emotions: Sequence[str]
) -> tuple[Figure, ...]:
    """Figures of one matrix (K, K), or the means over several (F, K, K); also the recalls of `emotions`, if any."""
    over_folds = counts.ndim == 3
    ours, again = _measures(counts, over_folds, emotions), _measures(drawn, over_folds, emotions)
    figures = []
    for name in (UAR, WAR, *emotions):
        value = float(ours[name])
        if np.isnan(value):
            continue  # an emotion without a test clip has no recall
        low, high = interval(again[name])
        figures.append(Figure(name, protocol, aggregate, 100 * value, 100 * low, 100 * high))
    return tuple(figures)


def _measures(confusions: Counts, over_folds: bool, emotions: Sequence[str]) -> dict[str, Values]:
    """Measure -> values over everything but the fold and class axes."""
    each = recalls(confusions)  # (..., [F,] K)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a class without clips: NaN, as it should be
        uar, war = np.nanmean(each, -1), wars_of(confusions)
        if over_folds:
            uar, war, each = uar.mean(-1), war.mean(-1), np.nanmean(each, -2)
    return {UAR: uar, WAR: war, **{emotion: each[..., k] for k, emotion in enumerate(emotions)}}
