"""What is kept of a long video: few looks at its people, and no more people than asked for."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nrdfer.config.alignment import AlignSettings
from nrdfer.faces import people
from nrdfer.faces.alignment import TEMPLATE_112
from nrdfer.faces.appearance import Look
from nrdfer.faces.detector import Face
from nrdfer.faces.kept_looks import KeptLooks
from nrdfer.faces.people import PeoplePlan, plan_people
from nrdfer.video.messages import Complaints

SHOT, KEPT = 50, 400  # frames; looks
LEFT, RIGHT = 40, 420  # pixels; the right one is nearer to the middle of 640, so the target


class TwoFaces:
    """A detector that finds two people in every frame."""

    threshold, max_side, on_gpu = 0.5, 640, True

    def detect_batch(self, pictures: Sequence[Any]) -> list[list[Face]]:
        return [[_face(LEFT), _face(RIGHT)] for _ in pictures]

    def detect_in(self, rgb: Any, regions: Sequence[Any]) -> list[Face]:
        raise AssertionError("whole frames are searched")


def _face(x: float) -> Face:
    points = (TEMPLATE_112 + np.array([x, 60])).astype(np.float32)
    return Face(np.array([x, 60, x + 112, 172], np.float32), 0.9, points)


class Counting:
    """A cue that counts the looks that are alive; who is left looks like who is left."""

    same = 0.5

    def __init__(self, *, alike: bool) -> None:
        self._alike = alike
        self._alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.made = self.most = 0

    def look(self, rgb: Any, face: Face) -> Look:
        vector = np.array([face.box[0]], np.float32)
        self.made += 1
        self._alive[self.made] = vector
        self.most = max(self.most, len(self._alive))
        return Look(vector, vector[:0], vector[:0])

    def similarity(self, a: Sequence[Look], b: Sequence[Look]) -> float:
        return float(self._alike and a[0].face[0] == b[0].face[0])


def seen(monkeypatch: pytest.MonkeyPatch, shots: int, cue: Counting, most: int = 100) -> PeoplePlan:
    """The people of a video of some shots, each another picture."""

    def frames(_: Path, *, notes: list[str], heard: list[Complaints]) -> Iterator[Any]:
        heard.append(Complaints())
        for shot in range(shots):
            scene = np.random.default_rng(shot).integers(0, 256, (18, 32, 3), np.uint8)
            picture = scene.repeat(20, 0).repeat(20, 1)
            for _ in range(SHOT):
                yield picture

    monkeypatch.setattr(people, "iter_frames", frames)
    monkeypatch.setattr(people, "KeptLooks", partial(KeptLooks, KEPT))
    return plan_people(Path("long.mp4"), TwoFaces(), AlignSettings(), cue, most)


@pytest.mark.parametrize("shots", [24, 48])
def test_looks_that_are_kept_do_not_grow_with_the_video(monkeypatch: pytest.MonkeyPatch, shots: int) -> None:
    cue = Counting(alike=True)
    plan = seen(monkeypatch, shots, cue)
    assert cue.made == 2 * shots * SHOT // people.LOOK_EVERY > KEPT
    assert cue.most <= KEPT + 2  # one is made, and one is lent to the loop
    assert (plan.found, len(plan.people)) == (2, 2)
    for person, x in zip(plan.people, (RIGHT, LEFT), strict=True):
        assert {record.box and record.box[0] for record in person.plan.records} == {x}


def test_of_a_crowd_the_most_important_are_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """And they share the records of frames without them, of which each has nearly all."""
    plan = seen(monkeypatch, 6, Counting(alike=False), most=3)
    assert (plan.found, len(plan.people)) == (12, 3)
    first, second = (person.plan.records for person in plan.people[:2])
    nobody = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if not a.has_face and not b.has_face]
    assert len(nobody) >= 4 * SHOT
    assert all(first[i] is second[i] for i in nobody)
