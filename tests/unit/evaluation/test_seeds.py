import math

import numpy as np
import pytest
import scipy.stats

from nrdfer.evaluation.seeds import difference_over_seeds, likelihood_of, spread_of, together

OURS = [65.1, 65.9, 64.8, 65.4]


def test_a_spread_is_of_single_trainings() -> None:
    found = spread_of(OURS)
    assert found.mean == pytest.approx(np.mean(OURS))
    assert found.sd == pytest.approx(np.std(OURS, ddof=1))
    assert (found.lowest, found.highest, found.seeds) == (64.8, 65.9, 4)
    assert spread_of([60.0]).sd is None


def test_a_published_figure_is_judged_as_one_more_training() -> None:
    """The t-test of one number against four with equal variances is the same question."""
    found = likelihood_of(67.0, OURS)
    assert found is not None
    assert found.z == pytest.approx((67.0 - np.mean(OURS)) / np.std(OURS, ddof=1))
    t = (67.0 - np.mean(OURS)) / (np.std(OURS, ddof=1) * math.sqrt(1 + 1 / 4))
    assert found.p_value == pytest.approx(2 * scipy.stats.t.cdf(-abs(t), 3), abs=1e-12)


def test_the_likelihood_holds_its_level_over_drawn_trainings() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(65, 0.7, (2000, 4))
    found = [likelihood_of(row[0], row[1:].tolist()) for row in drawn]
    assert np.mean([each is not None and each.p_value < 0.05 for each in found]) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("ours", [[65.0], [65.0, 66.0], [65.0, 65.0, 65.0]])
def test_it_cannot_be_said_of_fewer_than_three_or_of_equal_trainings(ours: list[float]) -> None:
    assert likelihood_of(67.0, ours) is None


def test_the_difference_over_seeds_is_welchs() -> None:
    other = [64.0, 65.2, 63.9]
    found = difference_over_seeds(OURS, other)
    expected = scipy.stats.ttest_ind(OURS, other, equal_var=False).confidence_interval(0.95)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert difference_over_seeds(OURS, [64.0]) is None
    assert difference_over_seeds([65.0, 65.0], [64.0, 64.0]) is None


def test_two_readings_of_the_same_trainings_are_paired() -> None:
    other = [value - 0.4 - 0.01 * n for n, value in enumerate(OURS)]
    found = difference_over_seeds(OURS, other, paired=True)
    expected = scipy.stats.ttest_rel(OURS, other).confidence_interval(0.95)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)
    unpaired = difference_over_seeds(OURS, other)
    assert unpaired is not None and found is not None
    assert unpaired[1] - unpaired[0] > 10 * (found[1] - found[0])  # the spread of trainings is in both
    assert difference_over_seeds(OURS, OURS, paired=True) is None


def test_tests_of_several_seeds_count_as_twice_their_median() -> None:
    assert together([0.03]) == 0.03
    assert together([0.01, 0.2, 0.04]) == pytest.approx(0.08)
    assert together([0.01, 0.04]) == pytest.approx(0.08)  # the larger of both
    assert together([0.9, 0.7, 0.8]) == 1.0
    rng = np.random.default_rng(1)
    shared = rng.normal(size=(4000, 1))  # the same clips: dependent tests
    p_values = scipy.stats.norm.sf(0.8 * shared + 0.6 * rng.normal(size=(4000, 3)))
    assert np.mean([together(row.tolist()) <= 0.05 for row in p_values]) <= 0.05


def test_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        spread_of([])
    with pytest.raises(ValueError, match="no test"):
        together([])
