"""Cuts between shots, and changes that are none."""

from __future__ import annotations

import cv2
import numpy as np

from nrdfer.video.shots import ShotLabeller


def scene(seed: int, gain: float = 1.0, shift: int = 0) -> np.ndarray:
    """A picture of large soft patches."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (5, 8, 3)).astype(np.uint8)
    picture = cv2.resize(patches, (320, 180), interpolation=cv2.INTER_CUBIC)
    return (np.roll(picture, shift, axis=1) * gain).astype(np.uint8)


def labels(pictures: list[np.ndarray]) -> list[int]:
    labeller = ShotLabeller()
    return [labeller.label(picture) for picture in pictures]


def test_a_scene_that_returns_is_the_same_shot() -> None:
    assert labels([scene(1)] * 3 + [scene(2)] * 2 + [scene(3)] + [scene(2)] + [scene(1)]) == [
        0,
        0,
        0,
        1,
        1,
        2,
        1,
        0,
    ]


def test_black_frames_flashes_light_and_motion_end_no_shot() -> None:
    black = np.zeros((180, 320, 3), np.uint8)
    film = [
        scene(1),
        black,
        black,
        scene(1),
        scene(1, gain=0.3),
        scene(1, gain=1.0),
        np.full_like(black, 255),
    ]
    film += [scene(1, shift=4), scene(1, shift=8), scene(1, shift=12)]
    assert labels(film) == [0] * len(film)


def test_many_cuts_forget_the_oldest_but_never_reuse_a_number() -> None:
    found = labels([scene(i) for i in range(10, 110)])
    assert len(set(found)) > 90
    assert found == sorted(found)
