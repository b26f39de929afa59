"""Detection of footage that is rotated or upside down, without a flag for that in the file.

Such footage is cropped all the same, but the detector has learned from upright faces: upside down, its five points fit
badly, and crops come out wrong or not at all. So where faces suggest it, some pictures are turned by quarters and
searched again; a turn by which faces become upright and fit, as they do not otherwise, is reported. The footage itself
is turned by those who crop it (`people`), or left so (`align_clip`).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.records import FrameRecord
from nrdfer.faces.alignment import fit_template
from nrdfer.faces.detector import Detector, Face

SAMPLES = 8  # pictures that are searched again
# Measured on real clips and their turns: upright, the median roll is within 10 degrees, the residual within 4 pixels;
# upside down, one of both is far off, or hardly a face is found.
MAX_ROLL = 50.0  # degrees
MAX_RESIDUAL = 5.0  # pixels of the 112 template
LEAST_SHARE = 0.5  # of frames with the target
# the right turn gives 0.61 to 0.80, each wrong one at most 0.10
SURE = 0.3
_TURNS = {
    1: "transpose=cclock",
    2: "hflip,vflip",
    3: "transpose=clock",
}  # quarters counter-clockwise -> ffmpeg's filter
WORDS = {1: "on its right side", 2: "upside down", 3: "on its left side"}
Frame = NDArray[np.uint8]


class Samples:
    """Some pictures of a video, spread evenly over it, whatever its length; at most as large as a detector's input."""

    def __init__(self, max_side: int) -> None:
        self._max_side = max_side
        self._kept: list[Frame] = []
        self._step = 1
        self._count = 0

    def add(self, frame: Frame) -> None:
        """Add the next picture."""
        if self._count % self._step == 0:
            self._kept.append(self._small(frame))
            if len(self._kept) == 2 * SAMPLES:
                self._kept = self._kept[::2]
                self._step *= 2
        self._count += 1

    def pictures(self) -> list[Frame]:
        """At most `SAMPLES` of the collected pictures."""
        return self._kept[:: math.ceil(len(self._kept) / SAMPLES)] if self._kept else []

    def _small(self, frame: Frame) -> Frame:
        height, width = frame.shape[:2]
        scale = self._max_side / max(height, width)
        if scale >= 1:
            return frame.copy()
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def note_of_turn(records: Sequence[FrameRecord], samples: Samples, detector: Detector) -> str:
    """A note if a video seems to be turned; "" for upright ones, for most of which the check costs nothing."""
    quarters = turn_of(records, samples, detector)
    if not quarters:
        return ""
    return (
        f"the footage seems to be {WORDS[quarters]}, without a flag that says so; turn it, so that faces are found and "
        f"fit (ffmpeg -i VIDEO -vf {_TURNS[quarters]} TURNED)"
    )


def turn_of(records: Sequence[FrameRecord], samples: Samples, detector: Detector) -> int:
    """Quarters, counter-clockwise, by which a video has to be turned to be upright; 0 if it is, or seems to be."""
    if not _suspicious(records):
        return 0
    pictures = samples.pictures()
    upright = _standing(pictures, 0, detector)
    found = {quarters: _standing(pictures, quarters, detector) for quarters in _TURNS}
    best = max(found, key=lambda quarters: found[quarters])
    return best if found[best] >= upright + SURE else 0


def roll_of(points: object) -> tuple[float, float] | None:
    """The turn of a face in degrees (0: upright) and how badly its points fit; None if they fit nothing."""
    try:
        matrix, residual = fit_template(points)  # type: ignore[arg-type]
    except ValueError:
        return None
    return math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])), residual


def _suspicious(records: Sequence[FrameRecord]) -> bool:
    if sum(record.has_face for record in records) < LEAST_SHARE * len(records):
        return True
    fits = [fit for record in records if record.points is not None and (fit := roll_of(record.points))]
    if not fits:
        return True
    roll, residual = (statistics.median(values) for values in zip(*((abs(r), x) for r, x in fits), strict=True))
    return bool(roll > MAX_ROLL or residual > MAX_RESIDUAL)


def _standing(pictures: Sequence[Frame], quarters: int, detector: Detector) -> float:
    """Score of how upright faces are in pictures that were turned, 0 to 1."""
    best = []
    for picture in pictures:
        (faces,) = detector.detect_batch([np.ascontiguousarray(np.rot90(picture, quarters))])
        best.append(max((_quality(face) for face in faces), default=0.0))
    return statistics.fmean(best) if best else 0.0


def _quality(face: Face) -> float:
    fit = roll_of(face.points)
    if fit is None or abs(fit[0]) > 45:
        return 0.0
    return face.score * max(0.0, 1 - fit[1] / 10)
