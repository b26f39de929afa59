"""By simulation: intervals hold the truth as often as they say, and what is not there is seldom announced."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import page_trend_test

from nrdfer.evaluation.paired_tests import holm_of_families
from nrdfer.noise.intervals import Values, by_person, crossed, estimate, ratio
from nrdfer.noise.order import published_order
from nrdfer.noise.verdicts import CONTRADICTED, HOLDS, NO_DIFFERENCE, UNDECIDED, judge
from nrdfer.noise.veto import Calls, gain_over_random, random_veto, selectivity

DRAWN, PEOPLE, CLIPS, SEEDS, MARGIN = 400, 40, 7, 10, 2.0
#: Units of the six contrasts: four backbones (the premise has no seeds, the next four ten each), then six seeds.
UNITS = (4, 4, 4, 4, 4, 6)
#: Standard deviations: of backbones, of seeds, of people, of both together, of clips.
SPREADS = ((2.0, 1.0, 1.0, 1.0, 3.0), (1.0, 2.0, 2.0, 1.0, 8.0), (0.5, 1.0, 2.0, 1.0, 6.0), (1.0, 2.0, 4.0, 1.0, 8.0))
Spread = tuple[float, float, float, float, float]


def benchmarks(rng: np.random.Generator, spread: Spread, truth: float = 0.0) -> list[Values]:
    """Tables (400, U, P) of six contrasts, seeds and clips averaged; people are the same in all six."""
    backbones, seeds, people, both, clips = spread
    shared = rng.normal(0, people / 2, (DRAWN, 1, PEOPLE))
    tables = []
    for number, units in enumerate(UNITS):
        inside = 1 if number in (0, 5) else SEEDS
        effect = rng.normal(0, 1, (DRAWN, units, 1)) * np.hypot(backbones, seeds / inside**0.5)
        person = shared + rng.normal(0, people * 0.75**0.5, (DRAWN, 1, PEOPLE))
        left = rng.normal(0, 1, (DRAWN, units, PEOPLE)) * np.hypot(both, clips / (inside * CLIPS) ** 0.5)
        tables.append(truth + effect + person + left)
    return tables


@pytest.mark.parametrize("spread", SPREADS)
def test_intervals_hold_the_truth_as_often_as_they_say(spread: Spread) -> None:
    rng = np.random.default_rng(1)
    found = [crossed(table) for table in benchmarks(rng, spread, truth=3.0)]
    held = [np.mean((one.low <= 3) & (one.high >= 3)) for one in found]
    assert 0.93 <= np.mean(held) <= 0.97
    assert all(0.92 <= share <= 0.98 for share in held)


def test_of_six_claims_that_are_false_one_is_seldom_announced() -> None:
    rng = np.random.default_rng(2)
    announced, uncorrected = [], []
    for spread in SPREADS:
        found = [crossed(table) for table in benchmarks(rng, spread)]
        names = [field.name for field in dataclasses.fields(found[0])]
        family = type(found[0])(*(np.stack([getattr(one, name) for one in found], -1) for name in names))
        _, verdicts = judge(family, [1, -1, 1, 1, 1, 1], MARGIN)
        announced.append(np.isin(verdicts, [HOLDS, CONTRADICTED]).any(-1).mean())
        uncorrected.append((family.p < 0.05).any(-1).mean())
    assert np.mean(announced) <= 0.06 and max(announced) <= 0.08  # of 400 draws, give or take 1 %
    assert min(uncorrected) > 0.12  # which is what Holm's correction is for


def random_filters(rng: np.random.Generator) -> tuple[Calls, np.ndarray]:
    """400 benchmarks of four backbones whose filter vetoes clips called neutral at random, one in eight."""
    people_C = np.repeat(np.arange(PEOPLE), CLIPS)
    truly = np.tile(np.arange(CLIPS) == 0, PEOPLE)
    hard = rng.normal(0, 0.05, (DRAWN, 4, 1)) + np.repeat(rng.normal(0, 0.05, (DRAWN, 1, PEOPLE)), CLIPS, -1)
    called = rng.random((DRAWN, 4, PEOPLE * CLIPS)) < np.clip(np.where(truly, 0.75, 0.12) + hard, 0.01, 0.99)
    vetoed = called & (rng.random(called.shape) < 1 / 8)
    gain = np.where(truly, -1.0, (rng.random(called.shape) < 0.5).astype(float))
    return Calls(called, vetoed, np.where(called, gain, 0.0), np.broadcast_to(truly, called.shape)), people_C


def test_a_filter_that_vetoes_at_random_is_seldom_announced() -> None:
    calls, people_C = random_filters(np.random.default_rng(3))
    gain = crossed(gain_over_random(calls, people_C))
    other, neutral = selectivity(calls, people_C)
    chosen = crossed(100 * (other - neutral))
    for found in (gain, chosen):
        assert np.mean((found.p < 0.05) & (found.value > 0)) <= 0.06
        assert np.mean((found.low <= 0) & (found.high >= 0)) >= 0.93


def test_a_filter_that_chooses_is_announced_and_one_at_random_in_its_place_is_not() -> None:
    rng = np.random.default_rng(4)
    calls, people_C = random_filters(rng)
    chosen = calls.neutral & (rng.random(calls.neutral.shape) < np.where(calls.truly, 0.04, 0.5))
    calls = dataclasses.replace(calls, vetoed=chosen)
    assert np.mean(crossed(gain_over_random(calls, people_C)).low > 0) > 0.85
    other, neutral = selectivity(calls, people_C)
    assert np.nanmean(crossed(100 * (other - neutral)).value) == pytest.approx(46, abs=2)
    drawn = random_veto(calls, rng)
    assert (drawn.sum(-1) == chosen.sum(-1)).all() and not (drawn & ~calls.neutral).any()
    chance = crossed(gain_over_random(dataclasses.replace(calls, vetoed=drawn), people_C))
    assert np.mean((chance.p < 0.05) & (chance.value > 0)) <= 0.06


def test_the_gain_of_a_veto_is_that_of_the_answers() -> None:
    best, second, labels = np.array([0, 0, 0, 2]), np.array([1, 1, 2, 1]), np.array([1, 0, 1, 2])
    calls = Calls.of(best, second, np.array([True, True, False, True]), labels, 0)
    assert calls.vetoed.tolist() == [True, True, False, False] and calls.gain.tolist() == [1, -1, 0, 0]
    people_C = np.arange(4)
    # two of three called neutral are vetoed, which by chance gains two thirds of nothing
    assert gain_over_random(calls, people_C).mean() == pytest.approx(0)
    other, neutral = selectivity(calls, people_C)
    assert (other.mean(), neutral.mean()) == (0.5, 1.0)


def test_the_mean_of_a_table_has_the_variance_of_units_and_people() -> None:
    assert estimate(np.full((3, 4), 2.0)).width == 0 and estimate(np.full((3, 4), 2.0)).p == 0
    assert estimate(np.zeros((3, 4))).p == 1
    one = estimate(np.array([[1.0], [2.0], [3.0]]) + np.zeros((3, 5)))  # people are alike: a t interval of three
    assert (one.value, one.freedom) == (2.0, 2.0)
    assert one.high - 2 == pytest.approx(4.302653 / 3**0.5)
    with pytest.raises(ValueError, match="two units and two people"):
        estimate(np.zeros((1, 4)))


def test_people_count_alike_and_a_ratio_is_that_of_the_sums() -> None:
    np.testing.assert_allclose(by_person(np.arange(6.0), np.array([4, 4, 4, 7, 7, 9])), [1.0, 3.5, 5.0])
    parts, wholes = np.array([[1.0, 0.0, 2.0]]), np.array([[2.0, 0.0, 4.0]])
    np.testing.assert_allclose(ratio(parts, wholes), [[0.5, 0.5, 0.5]])
    assert np.isnan(ratio(parts, 0 * wholes)).all()


def test_holms_correction_and_the_four_verdicts() -> None:
    np.testing.assert_allclose(holm_of_families(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    rng = np.random.default_rng(5)
    tables = np.stack([rng.normal(mean, spread, (6, 40)) for mean, spread in ((3, 1), (-3, 1), (0, 1), (0, 40))])
    _, verdicts = judge(crossed(tables), [1, 1, 1, 1], MARGIN)
    assert verdicts.tolist() == [HOLDS, CONTRADICTED, NO_DIFFERENCE, UNDECIDED]
    _, verdicts = judge(crossed(tables), [-1, -1, 1, 1], MARGIN)
    assert verdicts.tolist()[:2] == [CONTRADICTED, HOLDS]


def test_the_order_is_tested_as_a_whole_and_pairs_of_one_training_do_not_feign_one() -> None:
    rng = np.random.default_rng(6)
    rising = published_order(np.arange(8.0) + rng.normal(0, 0.1, (6, 8)))
    assert rising.p < 1e-6 and rising.in_order == (1.0,) * 7
    assert published_order(-np.arange(8.0) + rng.normal(0, 0.1, (6, 8))).p > 0.999
    war = rng.normal(0, 1, (100, 6, 4)).repeat(2, -1) + rng.normal(0, 0.01, (100, 6, 8))
    found = [published_order(one) for one in war]
    assert np.mean([one.p < 0.05 for one in found]) <= 0.06
    assert np.mean([page_trend_test(one, method="asymptotic").pvalue < 0.05 for one in war]) > 0.08
    assert found[0].statistic == pytest.approx(page_trend_test(war[0], method="asymptotic").statistic)
    assert found[0].chance == pytest.approx(6 * 8 * 81 / 4)
    with pytest.raises(ValueError, match="two pairs"):
        published_order(np.zeros((6, 3)))
