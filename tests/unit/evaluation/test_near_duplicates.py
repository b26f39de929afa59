"""Planted duplicates among rendered clips of strangers are found, and strangers are not taken for duplicates."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.clips import dfew_frames
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.timeline import draw_timeline
from nrdfer.evaluation.frame_hashes import BITS, hashes_of, nearest
from nrdfer.evaluation.near_duplicates import SAME, Pictures, near_neighbours

Clip = npt.NDArray[np.uint8]
pytestmark = pytest.mark.slow  # a thousand pairs need as many people
PEOPLE = 46  # 1,035 pairs of strangers
SIDE = 112


def rendered(person: int) -> Clip:
    """Two frames of a stranger."""
    session = np.random.default_rng([1, person])
    who = draw_identity(session)
    own = np.random.default_rng([2, person])
    timeline = draw_timeline(own, who, EMOTIONS[person % 7], 2, n1_rate=0.0, mostly_neutral=False)
    frames = [frame.rgb for frame in dfew_frames(own, session, who, timeline)]
    return np.stack([cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for frame in frames]).astype(
        np.uint8
    )


@pytest.fixture(scope="module")
def strangers() -> dict[str, Clip]:
    return {f"s{person:03d}": rendered(person) for person in range(PEOPLE)}


def encoded(quality: int) -> Callable[[Clip], Clip]:
    def change(clip: Clip) -> Clip:
        each = [cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for frame in clip]
        return np.stack([cv2.imdecode(data, cv2.IMREAD_COLOR) for data in each]).astype(np.uint8)

    return change


def cropped(x: float, y: float) -> Callable[[Clip], Clip]:
    def change(clip: Clip) -> Clip:
        side = round(SIDE * 0.95)
        left, top = int((SIDE - side) * x), int((SIDE - side) * y)
        parts = clip[:, top : top + side, left : left + side]
        return np.stack([cv2.resize(part, (SIDE, SIDE)) for part in parts]).astype(np.uint8)

    return change


def lit(gain: float, offset: float) -> Callable[[Clip], Clip]:
    return lambda clip: np.clip(clip.astype(float) * gain + offset, 0, 255).astype(np.uint8)


def everything(clip: Clip) -> Clip:
    return encoded(50)(lit(1.2, 10)(cropped(0.2, 0.9)(clip)))


CHANGES: tuple[Callable[[Clip], Clip], ...] = (
    *(encoded(quality) for quality in (20, 40, 60, 80)),
    *(cropped(x, y) for x, y in ((0.5, 0.5), (0, 0), (1, 0), (0, 1), (1, 1), (0.3, 0.7))),
    *(lit(gain, offset) for gain, offset in ((1.3, 20), (1.15, 0), (0.6, 0), (0.8, 30), (1, -30), (1, 40))),
    *([everything] * 4),
)


@pytest.mark.parametrize("changed_in", ["test", "training"])
def test_twenty_of_twenty_planted_duplicates_are_found(strangers: dict[str, Clip], changed_in: str) -> None:
    assert len(CHANGES) == 20
    pictures, planted = Pictures(), {}
    for number, (name, clip) in enumerate(strangers.items()):
        change = CHANGES[number] if number < len(CHANGES) else None
        pictures.add(name, change(clip) if change and changed_in == "training" else clip)
        if change:
            planted[f"t{number:03d}"] = name
            pictures.add(f"t{number:03d}", clip if changed_in == "training" else change(clip))
    found = near_neighbours(pictures, list(strangers), list(planted))
    assert {neighbour.clip_id: neighbour.of for neighbour in found} == planted
    assert min(neighbour.correlation for neighbour in found) >= SAME


def test_at_most_one_of_a_thousand_unrelated_pairs_is_called_one(strangers: dict[str, Clip]) -> None:
    """Each stranger is looked up among all others."""
    pictures = Pictures()
    for name, clip in strangers.items():
        pictures.add(name, clip)
    pairs = len(strangers) * (len(strangers) - 1) // 2
    found = [each for name in strangers for each in near_neighbours(pictures, sorted({*strangers} - {name}), [name])]
    assert pairs >= 1000 and len({frozenset((each.clip_id, each.of)) for each in found}) <= 1


def test_strangers_have_no_neighbour(strangers: dict[str, Clip]) -> None:
    pictures = Pictures()
    for name, clip in strangers.items():
        pictures.add(name, clip)
    names = list(strangers)
    assert near_neighbours(pictures, names[10:], names[:10]) == []
    assert near_neighbours(pictures, names[10:], names[:10], workers=1) == []
    assert near_neighbours(pictures, [], names) == near_neighbours(pictures, names, []) == []


def test_a_black_frame_is_no_picture() -> None:
    pictures = Pictures()
    for name in "ab":
        pictures.add(name, np.zeros((3, SIDE, SIDE, 3), np.uint8))
    assert not pictures.small and near_neighbours(pictures, ["a"], ["b"]) == []


def test_the_nearest_hash_is_that_of_a_plain_search() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(9000, BITS)).astype(np.float32)  # more than a block
    base, asked = hashes_of(numbers, np.zeros(BITS, np.float32)), numbers[:70] + rng.normal(size=(70, BITS))
    found, bits = nearest(hashes_of(asked.astype(np.float32), np.zeros(BITS, np.float32)), base)
    apart = ((asked > 0)[:, None] != (numbers > 0)[None]).sum(-1)
    assert (bits == apart.min(1)).all() and (found == apart.argmin(1)).all()
    with pytest.raises(ValueError, match="no hash to compare with"):
        nearest(base[:1], base[:0])
