"""Finding the faces of all frames of a video without searching all of every frame.

A whole frame is searched every few frames, at both ends of a camera shot, and wherever a face is lost. Between two
whole frames, only the surroundings of the faces detected at either end are searched: not shrunk further and on the same
grid, so that the network sees the same pixels under the same anchors. A face that was detected at neither end is not
searched for between them: one that shows for fewer than `every` frames may be missed, which is why tracks shorter than
that are no targets (`nrdfer.faces.tracking`). On a GPU whole frames in batches are faster, and nothing is left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nrdfer.config.alignment import EVERY
from nrdfer.faces.detector import Detector, Face, Region
from nrdfer.faces.tracking import affinity

REACH = 0.3  # of its size, how far a face's surroundings go on each side
GRID = 32  # pixels: the coarsest stride of the network
SIDES = 64  # pixels: regions come in multiples of it, so that few shapes occur
WORTH = 0.7  # of the frame: regions that cover more save no time
GPU_BATCH = 16
Frame = NDArray[np.uint8]


@dataclass(slots=True)
class Looks:
    """Numbers of frames searched whole, of parts searched, and of skipped frames, for benchmarks and diagnostics."""

    whole: int = 0
    parts: int = 0
    skipped: int = 0


def find_faces(
    frames: Iterable[tuple[Frame, int]], detector: Detector, every: int = EVERY, looks: Looks | None = None
) -> Iterator[list[Face]]:
    """The faces of each frame, in order.

    Args:
        frames: pictures (H, W, 3) uint8 RGB of one size, each with the number of its camera shot. At most `every` of
            them (on a GPU, a batch) are held at a time.
        detector: as usual.
        every: frames between two searches of a whole frame; 1 searches all of every frame.
        looks: is counted up, if given.

    Raises:
        ValueError: `every` is below 1.
    """
    if every < 1:
        raise ValueError(f"whole frames are searched every 1 or more frames, not {every}")
    looks = Looks() if looks is None else looks
    if detector.on_gpu:
        yield from _in_batches(frames, detector, looks)
        return
    start: list[Face] = []
    pending: list[Frame] = []
    shot: int | None = None
    for frame, number in frames:
        if number != shot:
            yield from _close(pending, start, detector, looks)
            pending, shot = [], number
            start = _whole(frame, detector, looks)
            yield start
            continue
        pending.append(frame)
        if len(pending) == every:
            *between, start = _close(pending, start, detector, looks)
            yield from (*between, start)
            pending = []
    yield from _close(pending, start, detector, looks)


def _in_batches(frames: Iterable[tuple[Frame, int]], detector: Detector, looks: Looks) -> Iterator[list[Face]]:
    batch: list[Frame] = []
    for frame, _ in frames:
        batch.append(frame)
        if len(batch) == GPU_BATCH:
            looks.whole += len(batch)
            yield from detector.detect_batch(batch)
            batch = []
    looks.whole += len(batch)
    yield from detector.detect_batch(batch)


def _whole(frame: Frame, detector: Detector, looks: Looks) -> list[Face]:
    looks.whole += 1
    return detector.detect_batch([frame])[0]


def _close(pending: list[Frame], start: list[Face], detector: Detector, looks: Looks) -> list[list[Face]]:
    """The faces of frames that follow one with the faces `start`; detection runs on the whole of the last one."""
    if not pending:
        return []
    end = _whole(pending[-1], detector, looks)
    found = []
    for position, frame in enumerate(pending[:-1], start=1):
        found.append(_between(frame, start, end, position / len(pending), detector, looks))
    return [*found, end]


def _between(
    frame: Frame, start: list[Face], end: list[Face], at: float, detector: Detector, looks: Looks
) -> list[Face]:
    """The faces of a frame at the fraction `at` (0 to 1) of the way between two detections."""
    followed, others = _pairs(start, end)
    if not followed and not others:
        looks.skipped += 1
        return []
    boxes = [_surroundings(np.stack([a.box, b.box])) for a, b in followed]
    boxes += [_surroundings(face.box[None]) for face in others]
    height, width = frame.shape[:2]
    scale = min(1.0, detector.max_side / max(height, width))
    regions = _regions(np.stack(boxes) * scale, round(width * scale), round(height * scale))
    if sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in regions) > WORTH * width * height * scale * scale:
        return _whole(frame, detector, looks)
    looks.parts += 1
    faces = detector.detect_in(frame, regions)
    for a, b in followed:
        expected = Face((1 - at) * a.box + at * b.box, 1.0, a.points)
        if not any(affinity(expected, face) > 0 for face in faces):
            looks.parts -= 1
            return _whole(frame, detector, looks)  # seen before and after: it deserves a proper look
    return faces


def _pairs(start: list[Face], end: list[Face]) -> tuple[list[tuple[Face, Face]], list[Face]]:
    """Faces seen at both ends, best first, and those seen at one end only."""
    strengths = [(affinity(a, b), i, j) for i, a in enumerate(start) for j, b in enumerate(end)]
    followed: list[tuple[int, int]] = []
    for strength, i, j in sorted(strengths, key=lambda row: (-row[0], row[1], row[2])):
        if strength > 0 and all(i != a and j != b for a, b in followed):
            followed.append((i, j))
    others = [face for i, face in enumerate(start) if all(i != a for a, _ in followed)]
    others += [face for j, face in enumerate(end) if all(j != b for _, b in followed)]
    return [(start[a], end[b]) for a, b in followed], others


def _surroundings(boxes_N4: NDArray[np.float32]) -> NDArray[np.float64]:
    """The box that holds all of some boxes of one face and `REACH` of its size around them."""
    low, high = boxes_N4[:, :2].min(0), boxes_N4[:, 2:].max(0)
    reach = REACH * float(np.max(boxes_N4[:, 2:] - boxes_N4[:, :2]))
    return np.concatenate([low - reach, high + reach]).astype(np.float64)


def _regions(boxes_N4: NDArray[np.float64], width: int, height: int) -> list[Region]:
    """Regions of a picture that cover boxes; those that overlap are made one."""
    regions: list[Region] = []
    for x1, y1, x2, y2 in boxes_N4.tolist():
        new = _snapped(x1, y1, x2, y2, width, height)
        while (other := next((r for r in regions if _overlap(r, new)), None)) is not None:
            regions.remove(other)
            new = _snapped(*_joined(other, new), width, height)
        regions.append(new)
    return regions


def _snapped(x1: float, y1: float, x2: float, y2: float, width: int, height: int) -> Region:
    """A region on the network's grid, as wide and high as a multiple of `SIDES` if the picture lets it."""
    left, right = _span(x1, x2, width)
    top, bottom = _span(y1, y2, height)
    return left, top, right, bottom


def _span(low: float, high: float, length: int) -> tuple[int, int]:
    first = max(0, math.floor(low / GRID) * GRID)
    first = min(first, (length - 1) // GRID * GRID)
    need = math.ceil(max(high - first, 1) / SIDES) * SIDES
    last = first + need
    if last > length:  # at the picture's end: reach back for the same length
        last = length
        first = max(0, (length - need) // GRID * GRID)
    return first, last


def _overlap(a: Region, b: Region) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _joined(a: Region, b: Region) -> Region:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
