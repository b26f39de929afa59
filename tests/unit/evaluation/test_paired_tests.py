import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from nrdfer.evaluation.paired_tests import Difference, holm, mcnemar_exact, paired_bootstrap
from nrdfer.evaluation.result_table import MEAN, POOLED, SINGLE, UAR, WAR

EMOTIONS = ("happy", "sad", "neutral")
CLOSE = 1e-12
Array = npt.NDArray[Any]


def answers(clips: int = 90, seed: int = 3) -> tuple[Array, Array, Array, list[str]]:
    """True classes, answers of two networks, and folds."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(EMOTIONS), clips)
    given = [np.where(rng.random(clips) < share, truth, rng.integers(0, 3, clips)) for share in (0.7, 0.4)]
    return truth, given[0], given[1], [f"fd{fold}" for fold in rng.integers(1, 4, clips)]


def of(found: tuple[Difference, ...], measure: str, aggregate: str) -> Difference:
    (difference,) = (d for d in found if (d.measure, d.aggregate) == (measure, aggregate))
    return difference


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (1, 0), (9, 2), (5, 5), (40, 71)])
def test_mcnemar_is_the_binomial_test_of_the_clips_that_only_one_gets_right(only_a: int, only_b: int) -> None:
    right_a = np.array([True] * 30 + [True] * only_a + [False] * (only_b + 4))
    right_b = np.array([True] * 30 + [False] * only_a + [True] * only_b + [False] * 4)
    found = mcnemar_exact(right_a, right_b)
    assert (found.only_a, found.only_b) == (only_a, only_b)
    n, few = only_a + only_b, min(only_a, only_b)
    tail = Fraction(sum(math.comb(n, k) for k in range(few + 1)), 2**n)
    assert abs(found.p_value - float(min(2 * tail, Fraction(1)))) < CLOSE
    assert abs(found.p_value - min(2 * scipy.stats.binom.cdf(few, n, 0.5), 1)) < CLOSE


def test_differences_are_those_of_the_two_networks_own_figures() -> None:
    truth, a, b, folds = answers()
    found = paired_bootstrap(a == truth, b == truth, truth, folds, EMOTIONS, draws=50)

    def difference(measure: Any, inside: Array) -> float:
        return float(measure(truth[inside], a[inside]) - measure(truth[inside], b[inside]))

    everything, names = np.ones(len(truth), bool), np.array(folds)
    each = [names == fold for fold in sorted(set(folds))]
    for name, measure in ((WAR, accuracy_score), (UAR, balanced_accuracy_score)):
        assert abs(of(found, name, POOLED).value - difference(measure, everything)) < CLOSE
        assert abs(of(found, name, MEAN).value - np.mean([difference(measure, fold) for fold in each])) < CLOSE
    for k, emotion in enumerate(EMOTIONS):
        ours, other = (recall_score(truth, given, labels=[k], average=None)[0] for given in (a, b))
        assert abs(of(found, emotion, POOLED).value - (ours - other)) < CLOSE


def test_intervals_are_those_of_scipys_bootstrap_of_clips_within_class_and_fold() -> None:
    truth, a, b, folds = answers()
    names = np.array(folds)
    strata = [
        np.stack([truth[inside], a[inside], b[inside]])  # one row a network: a clip is drawn for both
        for fold, k in itertools.product(sorted(set(folds)), range(len(EMOTIONS)))
        if (inside := (names == fold) & (truth == k)).any()
    ]
    assert min(stratum.shape[1] for stratum in strata) > 1

    def uar(*drawn: Array, axis: int) -> Array:
        true, ours, other = np.concatenate(drawn, axis=-1)
        recalls = [
            [((given == k) & (true == k)).sum(-1) / (true == k).sum(-1) for k in range(len(EMOTIONS))]
            for given in (ours, other)
        ]
        return np.asarray(np.mean(recalls[0], axis=0) - np.mean(recalls[1], axis=0))

    def war(*drawn: Array, axis: int) -> Array:
        true, ours, other = np.concatenate(drawn, axis=-1)
        return np.asarray((ours == true).mean(-1) - (other == true).mean(-1))

    found = paired_bootstrap(a == truth, b == truth, truth, folds, EMOTIONS, draws=200)
    for name, statistic in ((WAR, war), (UAR, uar)):
        expected = scipy.stats.bootstrap(
            strata,
            statistic,
            n_resamples=200,
            batch=250,
            axis=-1,
            method="percentile",
            vectorized=True,
            random_state=np.random.default_rng(0),
        ).confidence_interval
        ours = of(found, name, POOLED)
        assert abs(ours.low - expected.low) < CLOSE
        assert abs(ours.high - expected.high) < CLOSE
        assert ours.low < ours.value < ours.high


def test_a_pair_is_compared_more_narrowly_than_two_networks_apart() -> None:
    truth, a, _, folds = answers(400)
    b = a.copy()
    b[:8] = (truth[:8] + 1) % 3
    right = a == truth
    paired = of(paired_bootstrap(right, b == truth, truth, folds, EMOTIONS), WAR, POOLED)
    alone = of(paired_bootstrap(right, np.zeros(400, bool), truth, folds, EMOTIONS), WAR, POOLED)
    assert paired.high - paired.low < (alone.high - alone.low) / 2


def test_several_trainings_count_with_the_share_that_is_right() -> None:
    truth = np.array([0, 0, 1, 1])
    found = paired_bootstrap(np.array([1.0, 0.5, 0.0, 0.5]), np.zeros(4), truth, ["fd1"] * 4, EMOTIONS)
    assert of(found, WAR, SINGLE).value == pytest.approx(0.5)
    assert of(found, "happy", SINGLE).value == pytest.approx(0.75)
    assert {d.measure for d in found} == {UAR, WAR, "happy", "sad"}  # there is no neutral clip


def test_strata_of_one_clip_are_drawn_as_themselves() -> None:
    found = paired_bootstrap(np.array([1, 1, 0]), np.array([0, 1, 0]), np.arange(3), ["fd1"] * 3, EMOTIONS)
    assert [(d.low, d.high) for d in found] == [(d.value, d.value) for d in found]
    assert of(found, WAR, SINGLE).value == pytest.approx(1 / 3)
    assert {(d.has_interval, d.note.partition(",")[0]) for d in found} == {
        (False, "no interval: each emotion of each split has one clip")
    }


def test_an_interval_says_what_it_cannot_know() -> None:
    truth = np.array([0, 0, 1, 2, 2])
    found = paired_bootstrap(np.array([1, 0, 1, 1, 1]), np.array([0, 0, 1, 0, 0]), truth, ["fd1"] * 5, EMOTIONS)
    assert of(found, "happy", SINGLE).has_interval and of(found, "happy", SINGLE).note == ""
    assert "has one clip" not in of(found, "neutral", SINGLE).note and not of(found, "neutral", SINGLE).has_interval
    assert "differ alike on all clips" in of(found, "neutral", SINGLE).note
    assert of(found, WAR, SINGLE).has_interval
    assert "too small: 1 of 3 emotions of splits have one clip" in of(found, WAR, SINGLE).note


@pytest.mark.parametrize(
    "p_values", [[], [0.2], [0.01, 0.04, 0.03, 0.5], [0.9, 0.8, 0.001], [0.02, 0.02, 0.02], [1.0, 0.0]]
)
def test_holm_rejects_what_every_intersection_with_it_rejects_by_bonferroni(p_values: list[float]) -> None:
    """The closed test: a claim's adjusted value is the largest of all sets that it is in."""
    sets = [s for size in range(1, len(p_values) + 1) for s in itertools.combinations(range(len(p_values)), size)]
    closed = [max(min(1, len(s) * min(p_values[j] for j in s)) for s in sets if i in s) for i in range(len(p_values))]
    assert holm(p_values) == pytest.approx(tuple(closed), abs=CLOSE)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.5, wrong])


def test_other_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="3 and 2 clips"):
        mcnemar_exact(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="the same ones"):
        paired_bootstrap(np.ones(2), np.ones(2), np.zeros(2, int), ["fd1"], EMOTIONS)
    with pytest.raises(ValueError, match="at least 1"):
        mcnemar_exact(np.ones(0), np.ones(0))
