"""Small faces are found in parts of a frame at full size, and what is found twice counts once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from nrdfer.faces.detector import Face, Region
from nrdfer.faces.tiles import TILE, TiledDetector, once, starts

POINTS = np.zeros((5, 2), np.float32)


def face(x: float, side: float, score: float) -> Face:
    return Face(np.array([x, 10, x + side, 10 + side], np.float32), score, POINTS)


class Sees:
    """A detector that finds one large face when frames are shrunk, and in parts one small one more."""

    threshold = 0.5
    on_gpu = False

    def __init__(self) -> None:
        self.max_side = 640
        self.asked: list[Region] = []

    def detect_batch(self, pictures: Sequence[np.ndarray]) -> list[list[Face]]:
        return [[face(100, 200, 0.9)] for _ in pictures]

    def detect_in(self, rgb: np.ndarray, regions: Sequence[Region]) -> list[Face]:
        self.asked += regions
        assert self.max_side == 4096
        return [face(102, 200, 0.95), face(900, 20, 0.8)]


@pytest.mark.parametrize("length", [100, TILE, TILE + 1, 1280, 1920, 4096])
def test_parts_cover_a_side_on_the_grid(length: int) -> None:
    places = starts(length)
    assert places[0] == 0 and all(place % 32 == 0 for place in places)
    assert places[-1] + TILE >= length
    assert all(b - a <= TILE - 100 for a, b in itertools.pairwise(places))


def test_a_face_found_twice_counts_once_and_small_ones_are_added() -> None:
    found = TiledDetector(Sees()).detect_batch([np.zeros((720, 1280, 3), np.uint8)])
    assert [(face.score, float(face.box[0])) for face in found[0]] == [(0.95, 102.0), (0.8, 900.0)]


def test_a_frame_that_is_not_shrunk_is_not_searched_twice() -> None:
    detector = TiledDetector(Sees())
    assert len(detector.detect_batch([np.zeros((360, 640, 3), np.uint8)])[0]) == 1
    assert detector.full.asked == []  # type: ignore[attr-defined]


def test_no_face_is_no_face() -> None:
    assert once([]) == []
    assert TiledDetector(Sees()).detect_batch([]) == []
