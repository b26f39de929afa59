from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.config.recipe import RECIPES
from nrdfer.data.sampling import sample_indices
from nrdfer.data.settings import Sampling


@pytest.mark.parametrize(
    ("n_frames", "starts"),
    [
        (40, [2, 7, 12, 17, 21, 26, 31, 36]),
        (100, [6, 18, 30, 43, 55, 68, 80, 92]),
        (16, [0, 2, 4, 6, 8, 10, 12, 14]),
        (9, [0] * 8),
    ],
)
def test_test_sampling_is_former_dfers(n_frames: int, starts: list[int]) -> None:
    expected = [min(start + i, n_frames - 1) for start in starts for i in range(2)]
    assert sample_indices(n_frames) == expected


@given(
    n_frames=st.integers(1, 900),
    segments=st.integers(1, 16),
    duration=st.integers(1, 4),
    seed=st.none() | st.integers(0, 99),
)
def test_indices_are_always_inside_the_clip(n_frames: int, segments: int, duration: int, seed: int | None) -> None:
    rng = None if seed is None else np.random.default_rng(seed)
    indices = sample_indices(n_frames, segments, duration, rng)
    assert len(indices) == segments * duration
    assert min(indices) >= 0
    assert max(indices) < n_frames
    starts = indices[::duration]
    assert starts == sorted(starts)


def test_training_reaches_every_start_of_every_segment_and_no_other() -> None:
    rng = np.random.default_rng(0)
    seen = [set[int]() for _ in range(8)]
    for _ in range(400):
        for segment, start in zip(seen, sample_indices(41, rng=rng)[::2], strict=True):
            segment.add(start)
    assert seen == [set(range(5 * i, 5 * i + 5)) for i in range(8)]


def test_training_is_repeated_by_the_same_generator_only() -> None:
    first, again, other = (sample_indices(100, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_pairs_are_consecutive() -> None:
    indices = sample_indices(77, rng=np.random.default_rng(3))
    assert all(b - a == 1 for a, b in zip(indices[::2], indices[1::2], strict=True))


@pytest.mark.parametrize("n_frames", [1, 5, 9, 16, 17, 41, 100])
def test_random_frames_of_every_segment_as_the_paper_words_it(n_frames: int) -> None:
    rng, seen = np.random.default_rng(0), set[int]()
    for _ in range(300):
        indices = sample_indices(n_frames, rng=rng, pick="random")
        assert len(indices) == 16
        assert indices == sorted(indices)
        if n_frames >= 16:
            assert len(set(indices)) == 16
            assert all(
                n_frames * (i // 2) // 8 <= index < n_frames * (i // 2 + 1) // 8 for i, index in enumerate(indices)
            )
        seen |= set(indices)
    assert seen == set(range(n_frames))  # none is left out at the end
    assert sample_indices(n_frames, pick="random") == sample_indices(n_frames)  # testing is the same


def test_the_way_of_picking_is_part_of_what_is_stored_only_where_it_is_not_the_default() -> None:
    stored = dataclasses.replace(RECIPES["dfew-paper"], sampling=Sampling(pick="random")).to_dict()
    assert stored["sampling"]["pick"] == "random"
    assert RECIPES["dfew-paper"].to_dict()["sampling"] == {"strategy": "ds", "segments": 8, "duration": 2}


def test_an_empty_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="0 frames"):
        sample_indices(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"strategy": "tim"}, "one of ds, ti, linear, not 'tim'"),
        ({"segments": 0}, "segments must be at least 1"),
        ({"pick": "any"}, "pick must be one of consecutive, random, not 'any'"),
    ],
)
def test_samplings_that_cannot_be_meant_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sampling(**settings)


def test_the_papers_sampling_is_the_default() -> None:
    assert Sampling() == Sampling("ds", segments=8, duration=2)
    assert Sampling().frames == 16
