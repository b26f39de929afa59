from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.bootstrap import interval, resample, wars_of
from nrdfer.evaluation.metrics import recalls
from nrdfer.evaluation.result_table import MEAN, POOLED, SINGLE, UAR, WAR, Figure
from nrdfer.evaluation.row_metrics import figures_of


def answers(seed: int, clips: int = 70, right: float = 0.6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(clips) % 7
    wrong = rng.integers(0, 7, clips)
    return truth, np.where(rng.random(clips) < right, truth, wrong)


def found(figures: tuple[Figure, ...], measure: str, aggregate: str) -> Figure:
    (one,) = [f for f in figures if (f.measure, f.aggregate) == (measure, aggregate)]
    return one


def test_figures_are_scikit_learns() -> None:
    folds = {f"fd{k}": answers(k, clips=50 + k) for k in range(1, 6)}
    figures = figures_of(folds, "honest", EMOTIONS, by_emotion=True)
    truth, told = (np.concatenate([fold[i] for fold in folds.values()]) for i in (0, 1))
    war = np.mean([accuracy_score(*fold) for fold in folds.values()])
    uar = np.mean([balanced_accuracy_score(*fold) for fold in folds.values()])
    assert found(figures, WAR, MEAN).value == pytest.approx(100 * war)
    assert found(figures, UAR, MEAN).value == pytest.approx(100 * uar)
    assert found(figures, WAR, POOLED).value == pytest.approx(100 * accuracy_score(truth, told))
    assert found(figures, UAR, POOLED).value == pytest.approx(100 * balanced_accuracy_score(truth, told))
    for k, recall in enumerate(recall_score(truth, told, average=None)):
        assert found(figures, EMOTIONS[k], POOLED).value == pytest.approx(100 * recall)
    assert {f.protocol for f in figures} == {"honest"}


def test_one_split_has_no_mean() -> None:
    figures = figures_of({"afew": answers(0)}, "paper", EMOTIONS)
    assert {f.aggregate for f in figures} == {SINGLE}
    assert {f.measure for f in figures} == {UAR, WAR}


def test_an_emotion_without_clips_has_no_recall_and_does_not_count() -> None:
    truth = np.array([0, 0, 1, 1])
    figures = figures_of({"afew": (truth, np.array([0, 1, 1, 1]))}, "honest", EMOTIONS, by_emotion=True)
    assert found(figures, UAR, SINGLE).value == pytest.approx(75.0)
    assert {f.measure for f in figures} == {UAR, WAR, "happiness", "sadness"}


def test_no_split_is_refused() -> None:
    with pytest.raises(ValueError, match="no split"):
        figures_of({}, "honest", EMOTIONS)


def test_the_same_predictions_have_the_same_interval_and_it_holds_the_figure() -> None:
    folds = {f"fd{k}": answers(k) for k in range(1, 6)}
    figures = figures_of(folds, "honest", EMOTIONS)
    assert figures == figures_of(dict(reversed(folds.items())), "honest", EMOTIONS)
    for figure in figures:
        assert figure.low is not None and figure.high is not None
        assert figure.low < figure.value < figure.high


def test_resampling_keeps_every_classs_clips() -> None:
    counts = np.array([[6, 4, 0], [0, 0, 0], [1, 1, 3]])
    drawn = resample(counts, np.random.default_rng(0), 50)
    assert (drawn.sum(-1) == counts.sum(-1)).all()
    assert len(np.unique(drawn[:, 0, 0])) > 3
    assert np.isnan(recalls(drawn)[:, 1]).all()


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of tables drawn from known recalls, about 95 % have intervals that hold the true WAR."""
    rng = np.random.default_rng(1)
    truth = rng.uniform(0.4, 0.9, 7)
    covered = 0
    for _ in range(200):
        counts = np.zeros((7, 7), np.int64)
        for k in range(7):
            hits = rng.binomial(60, truth[k])
            counts[k, k], counts[k, (k + 1) % 7] = hits, 60 - hits
        low, high = interval(wars_of(resample(counts, rng, 400)))
        covered += low <= truth.mean() <= high
    assert 0.88 <= covered / 200 <= 0.995
