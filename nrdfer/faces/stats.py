"""Statistics of how well a person was followed through a clip, from the clip's records and crops.

Nothing here changes what is cropped. How figures of many clips are shown belongs to the caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.luma import LUMA
from nrdfer.core.records import FrameRecord

#: Correlation of two successive thumbnails below which they hardly show one person. Measured with the published
#: MobileNet detector on seven real clips: 0.81 to 1.00 (median 0.998) over 812 pairs of successive target frames, and
#: 0.80 and more between any two frames of one person. Different people: -0.56 to 0.70 over 8,081 pairs across those
#: clips, up to 0.76 over 35 pairs of faces within one frame (one pair above 0.75). Rendered people, bright and dark, in
#: clips of 24 frames: 0.81 to 1.00 over 880 pairs within a person, -0.59 to 0.68 over 40 cuts to another.
SAME_PERSON = 0.75
_THUMBNAIL = 16


@dataclass(frozen=True, slots=True)
class ClipStats:
    """Figures of one clip; None where there is nothing to measure."""

    switches: int = 0  # suspected: successive target frames of one shot that do not look like one person
    jitter: float | None = None  # median second difference of the five points, per cent of the distance of the eyes
    score: float | None = None  # median detector score of the target
    face_size: float | None = None  # median square root of the box's area, source pixels
    longest_gap: int = 0  # frames without the target in a row
    luma: float | None = None  # mean of the crops, 0 to 255


class StatsCollector:
    """Collects figures of a clip's crops as they are streamed, one for each record, in order.

    Args:
        records: of the clip.
        shots: the camera shot of each frame; a person who looks another way after a cut is not suspected.
    """

    def __init__(self, records: Sequence[FrameRecord], shots: Sequence[int] = ()) -> None:
        self._records = records
        self._cuts = {i for i in range(1, len(shots)) if shots[i] != shots[i - 1]}
        self._at = 0
        self._before: NDArray[np.float64] | None = None
        self._switches = 0
        self._luma = 0.0

    def add(self, crop: NDArray[np.uint8]) -> None:
        """The next crop (S, S, 3) RGB, before any enhancement."""
        record = self._records[self._at]
        if self._at in self._cuts:
            self._before = None
        self._at += 1
        self._luma += float(luma_of(crop))
        if not record.has_face:
            return
        thumbnail = _thumbnail(crop)
        if self._before is not None and correlation(self._before, thumbnail) < SAME_PERSON:
            self._switches += 1
        self._before = thumbnail

    def result(self) -> ClipStats:
        """The figures of all crops added."""
        faces = [record for record in self._records if record.has_face]
        boxes = np.array([record.box for record in faces if record.box is not None]).reshape(-1, 4)
        scores = [record.score for record in faces if record.score is not None]
        sizes = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        return ClipStats(
            switches=self._switches,
            jitter=jitter(self._records),
            score=round(float(np.median(scores)), 4) if scores else None,
            face_size=round(float(np.median(sizes)), 1) if len(sizes) else None,
            longest_gap=longest_gap(record.has_face for record in self._records),
            luma=round(self._luma / self._at, 2) if self._at else None,
        )


def jitter(records: Sequence[FrameRecord]) -> float | None:
    """Jitter of the landmarks: a steady motion, however fast, has none.

    The median over all triples of successive frames with the target of mean |p(t-1) - 2 p(t) + p(t+1)| over the five
    points, in per cent of the distance between the eyes; None without such a triple.
    """
    shakes = []
    for before, now, after in zip(records, records[1:], records[2:], strict=False):
        if not (before.has_face and now.has_face and after.has_face):
            continue
        a, b, c = (np.asarray(record.points) for record in (before, now, after))
        eyes = float(np.linalg.norm(b[1] - b[0]))
        if eyes > 0:
            shakes.append(float(np.linalg.norm(a - 2 * b + c, axis=1).mean()) / eyes * 100)
    return round(float(np.median(shakes)), 3) if shakes else None


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Correlation of two thumbnails' values; 1 where one of them is flat, so that it carries no information."""
    spread = float(a.std() * b.std())
    return 1.0 if spread == 0 else float(((a - a.mean()) * (b - b.mean())).mean() / spread)


def luma_of(pictures: NDArray[np.uint8]) -> float:
    """Mean luma (ITU-R BT.601) of RGB pictures, 0 to 255."""
    return float(pictures.reshape(-1, 3).mean(0) @ LUMA)


def _thumbnail(crop: NDArray[np.uint8]) -> NDArray[np.float64]:
    inner = crop[crop.shape[0] // 8 : -crop.shape[0] // 8, crop.shape[1] // 8 : -crop.shape[1] // 8]
    small = cv2.resize(inner, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    return small.astype(np.float64) @ LUMA


def longest_gap(has_face: Iterable[bool]) -> int:
    """The most frames without the target in a row."""
    longest = now = 0
    for there in has_face:
        now = 0 if there else now + 1
        longest = max(longest, now)
    return longest
