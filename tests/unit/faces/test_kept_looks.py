"""Looks at a long video's tracks are bounded; a short one's are all kept."""

from __future__ import annotations

import numpy as np
import pytest

from nrdfer.faces.appearance import Look
from nrdfer.faces.identity import MOST_LOOKS
from nrdfer.faces.kept_looks import KeptLooks

NOTHING = np.zeros(1, np.float32)


def look(number: int) -> Look:
    return Look(np.array([number], np.float32), NOTHING, NOTHING)


def numbers(kept: KeptLooks) -> dict[int, list[int]]:
    return {track: [int(look.face[0]) for look in looks] for track, looks in kept.of().items()}


def test_few_looks_are_all_kept_in_order() -> None:
    kept = KeptLooks(most=100)
    for number in range(50):
        kept.add(number % 2, look(number))
    assert numbers(kept) == {0: list(range(0, 50, 2)), 1: list(range(1, 50, 2))}


@pytest.mark.parametrize("frames", [1_000, 5_000])
def test_a_long_track_is_kept_evenly_spread_and_a_short_one_whole(frames: int) -> None:
    kept = KeptLooks(most=64)
    for number in range(3):
        kept.add(9, look(number))
    most = 0
    for number in range(frames):
        kept.add(5, look(number))
        most = max(most, len(kept))
    assert most <= 64 + 1
    found = numbers(kept)
    assert found[9] == [0, 1, 2]
    steps = set(np.diff(found[5]))
    assert len(steps) == 1 and len(found[5]) > MOST_LOOKS // 2
    assert found[5][0] == 0 and frames - found[5][-1] <= steps.pop()


def test_of_very_many_tracks_those_looked_at_most_keep_theirs() -> None:
    kept = KeptLooks(most=40)
    for number in range(MOST_LOOKS):
        kept.add(0, look(number))
    for track in range(1, 500):
        kept.add(track, look(track))
        assert len(kept) <= 40 + 1
    found = numbers(kept)[0]
    assert len(found) >= 2 and found == list(range(0, MOST_LOOKS, MOST_LOOKS // len(found)))
    assert len(kept) == sum(map(len, kept.of().values()))
