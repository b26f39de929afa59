from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.paired_comparison import Answers, compare
from nrdfer.evaluation.paired_tests import mcnemar_exact
from nrdfer.evaluation.result_table import MEAN, SINGLE, UAR, WAR

EMOTIONS = ("happy", "sad", "neutral")


def answers(
    name: str = "A", right: float = 0.7, seed: int = 0, seeds: int = 1, seeds_of: tuple[int, ...] = (), **changes: Any
) -> Answers:
    rng = np.random.default_rng(seed)
    truth = np.arange(60) % 3
    predicted = np.where(rng.random((seeds, 60)) < right, truth, rng.integers(0, 3, (seeds, 60)))
    ids = tuple(f"clip {n:02d}" for n in range(60))
    folds = tuple(f"fd{n % 2 + 1}" for n in range(60))
    made = Answers(name, "honest", EMOTIONS, ids, folds, truth, predicted, seeds=seeds_of)
    return dataclasses.replace(made, **changes)


def test_figures_of_a_comparison_are_the_networks_own() -> None:
    a, b = answers(), answers("B", 0.3, seed=1)
    found = compare(a, b)
    (ours,), (other,) = a.values(WAR, MEAN), b.values(WAR, MEAN)
    difference = found.difference(WAR)
    assert difference is not None and difference.low < difference.value < difference.high
    assert 100 * difference.value == pytest.approx(ours - other)
    assert found.p_value == mcnemar_exact(a.right[0], b.right[0]).p_value
    assert not found.over_seeds
    only_a, only_b = (found.disagreements(a_is_right=side) for side in (True, False))
    assert (len(only_a), len(only_b)) == (found.mcnemar[0].only_a, found.mcnemar[0].only_b)
    assert all(a.right[0, n] and not b.right[0, n] for n in only_a)


def test_the_other_way_round_is_the_opposite() -> None:
    a, b = answers(), answers("B", 0.3, seed=1)
    there, back = compare(a, b).difference(UAR), compare(b, a).difference(UAR)
    assert there is not None and back is not None
    assert (there.value, there.low) == pytest.approx((-back.value, -back.high))


def test_clips_and_emotions_in_another_order_are_the_same() -> None:
    a, b = answers(), answers("B", 0.3, seed=1)
    order = np.random.default_rng(5).permutation(60)
    classes = np.array([2, 0, 1])  # sad, neutral, happy
    shuffled = dataclasses.replace(
        b,
        emotions=("sad", "neutral", "happy"),
        clip_ids=tuple(b.clip_ids[n] for n in order),
        folds=tuple(b.folds[n] for n in order),
        truth=classes[b.truth][order],
        predicted=classes[b.predicted][:, order],
    )
    assert compare(a, shuffled).differences == compare(a, b).differences


def test_trainings_of_several_seeds_are_tested_seed_with_seed() -> None:
    a, b = answers(seeds=3), answers("B", 0.4, seed=1, seeds=3)
    found = compare(a, b)
    assert len(found.mcnemar) == 3
    assert found.p_value == pytest.approx(min(1, 2 * np.median([test.p_value for test in found.mcnemar])))
    assert set(found.over_seeds) == {WAR, UAR}
    difference = found.difference(WAR)
    assert difference is not None
    assert 100 * difference.value == pytest.approx(np.mean(a.values(WAR, MEAN)) - np.mean(b.values(WAR, MEAN)))


def test_a_seed_that_one_row_lacks_moves_no_other() -> None:
    a, b = answers(seeds=3, seeds_of=(0, 1, 2)), answers("B", 0.4, seed=1, seeds=3, seeds_of=(0, 1, 2))
    without = dataclasses.replace(b, predicted=b.predicted[[0, 2]], seeds=(0, 2))
    found = compare(a, without)
    assert found.seeds == (0, 2)
    assert found.mcnemar == tuple(compare(a, b).mcnemar[seed] for seed in (0, 2))
    with pytest.raises(NrdferError, match="A is complete with seed 0, 1, 2, B with seed 4"):
        compare(a, dataclasses.replace(without, predicted=b.predicted[:1], seeds=(4,)))


def test_one_split_has_its_own_figures() -> None:
    alone = {"folds": ("",) * 60}
    assert compare(answers(**alone), answers("B", **alone)).aggregates == (SINGLE,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"protocol": "paper"}, "paper protocol"),
        ({"emotions": ("happy", "sad", "fear")}, "only A has neutral"),
        ({"clip_ids": tuple(f"clip {n:02d}" for n in range(1, 61))}, "only A has 1 clip, clip 00; only B has 1 clip"),
        ({"truth": (np.arange(60) + 1) % 3}, "60 clips have another true emotion"),
        ({"folds": ("fd1",) * 60}, "another split"),
    ],
)
def test_what_was_not_asked_the_same_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NrdferError, match=words):
        compare(answers(), answers("B", **changes))
