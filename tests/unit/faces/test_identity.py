"""Tracks that look alike are one person, unless both are seen at once; what cannot be described stays apart."""

from __future__ import annotations

import numpy as np
import pytest

from nrdfer.faces.alignment import TEMPLATE_112
from nrdfer.faces.appearance import Look
from nrdfer.faces.detector import Face
from nrdfer.faces.identity import identities
from nrdfer.faces.tracking import Track

NOTHING = np.zeros(1, np.float32)


class Angle:
    """A cue whose looks are angles: the similarity is their cosine."""

    same = 0.9

    def look(self, rgb: np.ndarray, face: Face) -> Look | None:
        raise AssertionError("tracks are described already")

    def similarity(self, a: list[Look], b: list[Look]) -> float:
        return max(float(x.face @ y.face) for x in a for y in b)


def look(degrees: float) -> Look:
    turn = np.radians(degrees)
    return Look(np.array([np.cos(turn), np.sin(turn)], np.float32), NOTHING, NOTHING)


def track(first: int, frames: int = 5) -> Track:
    made = Track()
    for frame in range(first, first + frames):
        made.add(frame, Face(np.array([0, 0, 112, 112], np.float32), 0.9, TEMPLATE_112.astype(np.float32)))
    return made


def joined(tracks: list[Track], looks: dict[int, list[Look]]) -> list[list[int]]:
    return [sorted(who.track.faces) for who in identities(tracks, looks, Angle())]


def test_the_same_look_in_another_shot_is_the_same_person() -> None:
    tracks = [track(0), track(5), track(10)]
    assert joined(tracks, {0: [look(0)], 1: [look(80)], 2: [look(10)]}) == [
        [*range(5), *range(10, 15)],
        list(range(5, 10)),
    ]


def test_whoever_is_seen_beside_another_is_not_the_same() -> None:
    tracks = [track(0), track(2), track(20)]
    found = joined(tracks, {0: [look(0)], 1: [look(1)], 2: [look(3)]})
    assert found == [list(range(5)), [*range(2, 7), *range(20, 25)]]  # the more alike pair


def test_a_chain_of_looks_is_one_person_as_far_as_nobody_stands_beside() -> None:
    tracks = [track(0), track(10), track(20)]
    assert joined(tracks, {0: [look(0)], 1: [look(20)], 2: [look(40)]}) == [[*range(5), *range(10, 15), *range(20, 25)]]


@pytest.mark.parametrize("looks", [{}, {0: [look(0)]}, {0: [], 1: []}])
def test_what_cannot_be_described_joins_nobody(looks: dict[int, list[Look]]) -> None:
    assert joined([track(0), track(10)], looks) == [list(range(5)), list(range(10, 15))]


def test_a_glimpse_is_nobody() -> None:
    assert joined([track(0, frames=2)], {0: [look(0)]}) == []
