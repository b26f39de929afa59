"""Appearance of a face, by which the same person is recognised in another shot of one video.

Without weights for it, three cues are used: orientations of edges in the aligned face (a histogram of gradients), which
light hardly changes; the colours of the head; and the colours below it, where the clothes are. They know a person
within one video, of one day and one set of clothes, and nobody across videos. A face that is too small, dark or blurred
for them is not described. `FaceEmbedding` runs a network for face recognition instead, if the user has one. Who is
joined with whom belongs to `identity`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import WeightsError
from nrdfer.faces.alignment import fit_template, warp
from nrdfer.faces.detector import Face
from nrdfer.runtime.onnx_session import Session

Vector = NDArray[np.float32]
Picture = NDArray[np.uint8]
_CROP = 112
_CELLS, _DIRECTIONS = 7, 9  # of the histogram of gradients
LEAST_SIDE = 20.0  # pixels of a face's box
LEAST_CONTRAST = 15.0  # grey levels, standard deviation of the aligned face
_BINS = 8  # of each of a histogram's two colour axes, and half of it for brightness
_LEAST_VISIBLE = 0.25  # of the part below the head
# Weights of the three cues, and the similarity from which two stretches show one person. In a real clip of four shots
# and 13 people, the one pair of stretches of one person has 0.67, those of two people at most 0.57 (of those that can
# be described); `python -m bench.people` measures it on planted people, see docs/prediction.md.
FACE_WEIGHT, HEAD_WEIGHT, CLOTHES_WEIGHT = 0.7, 0.15, 0.15
SAME_LOOK = 0.62
SAME_EMBEDDING = 0.36  # cosine: usual for networks trained with an angular margin


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """Descriptors of one face in one frame; each vector has length 1, or is 0 where there is nothing to see."""

    face: Vector
    head: Vector
    clothes: Vector


class Cue(Protocol):
    """Describes faces and compares descriptions."""

    same: float  # similarity from which two stretches show one person

    def look(self, rgb: Picture, face: Face) -> Look | None:
        """The description of a face, None where its points fit none."""

    def similarity(self, a: Sequence[Look], b: Sequence[Look]) -> float:
        """Similarity of two stretches, each with its looks, at most 1."""


class ColourCue:
    """The cue without weights."""

    same = SAME_LOOK

    def look(self, rgb: Picture, face: Face) -> Look | None:
        """See `Cue`."""
        crop = aligned(rgb, face)
        if crop is None:
            return None
        x1, y1, x2, y2 = (float(v) for v in face.box)
        if min(x2 - x1, y2 - y1) < LEAST_SIDE or float(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).std()) < LEAST_CONTRAST:
            return None
        return look_of_crop(crop, below(rgb, face))

    def similarity(self, a: Sequence[Look], b: Sequence[Look]) -> float:
        """See `Cue`: the best pair of faces, and the mean colours."""
        return similarity(a, b)


def look_of_crop(crop: Picture, clothes: Picture | None = None) -> Look:
    """The description of an aligned face (112, 112, 3), and of what is below it, if that is seen."""
    grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
    return Look(_gradients(grey), _colours(crop), _colours(clothes))


def similarity(a: Sequence[Look], b: Sequence[Look]) -> float:
    """Similarity of looks without an embedding: the best pair of faces, and the mean colours."""
    faces = float((np.stack([look.face for look in a]) @ np.stack([look.face for look in b]).T).max())
    parts, weights = [faces], [FACE_WEIGHT]
    for name, weight in (("head", HEAD_WEIGHT), ("clothes", CLOTHES_WEIGHT)):
        mean_a, mean_b = (_unit(np.mean([getattr(look, name) for look in s], axis=0)) for s in (a, b))
        if mean_a.any() and mean_b.any():
            parts.append(float(mean_a @ mean_b))
            weights.append(weight)
    return float(np.average(parts, weights=weights))


class FaceEmbedding:
    """A network for face recognition as an ONNX file: aligned faces (1, 3, 112, 112) RGB, -1 to 1, in; a vector out.

    Args:
        path: the file, such as those of ArcFace.

    Raises:
        WeightsError: it cannot be read, or takes something else.
    """

    same = SAME_EMBEDDING

    def __init__(self, path: Path) -> None:
        try:
            self._session = Session(Path(path).read_bytes())
            inputs = self._session.inputs()
        except Exception as error:  # ONNX Runtime has exceptions of its own for each kind of defect
            raise WeightsError(f"{path} cannot be used as a network for face recognition: {error}") from error
        if len(inputs) != 1 or tuple(inputs[0][1][1:]) != (3, _CROP, _CROP):
            raise WeightsError(f"{path} takes {inputs}, not one batch of faces (N, 3, {_CROP}, {_CROP})")
        self._input = inputs[0][0]

    def look(self, rgb: Picture, face: Face) -> Look | None:
        """See `Cue`."""
        crop = aligned(rgb, face)
        if crop is None:
            return None
        x_BCHW = (crop.astype(np.float32).transpose(2, 0, 1)[None] - 127.5) / 127.5
        nothing = np.zeros(1, np.float32)
        return Look(_unit(self._session.run({self._input: x_BCHW})[0].ravel()), nothing, nothing)

    def similarity(self, a: Sequence[Look], b: Sequence[Look]) -> float:
        """See `Cue`: the cosine of the mean vectors."""
        mean_a, mean_b = (_unit(np.mean([look.face for look in looks], axis=0)) for looks in (a, b))
        return float(mean_a @ mean_b)


def aligned(rgb: Picture, face: Face) -> Picture | None:
    """The face in ArcFace's template, (112, 112, 3); None if its points fit nothing. Only its surroundings are read."""
    x1, y1, x2, y2 = (float(v) for v in face.box)
    reach = max(x2 - x1, y2 - y1)
    height, width = rgb.shape[:2]
    left, top = max(0, int(x1 - reach / 2)), max(0, int(y1 - reach / 2))
    right, bottom = min(width, int(x2 + reach / 2) + 1), min(height, int(y2 + reach / 2) + 1)
    try:
        matrix, _ = fit_template(face.points - np.asarray([left, top]), _CROP)
    except ValueError:
        return None
    return warp(np.ascontiguousarray(rgb[top:bottom, left:right]), matrix, _CROP)


def below(rgb: Picture, face: Face) -> Picture | None:
    """The part of a picture below a head, None if too little of it is in the picture."""
    x1, y1, x2, y2 = (float(v) for v in face.box)
    wide, high = x2 - x1, y2 - y1
    wanted = (x1 - 0.4 * wide, y2 + 0.25 * high, x2 + 0.4 * wide, y2 + 1.25 * high)
    height, width = rgb.shape[:2]
    left, top = (round(max(0.0, value)) for value in wanted[:2])
    right, bottom = round(min(float(width), wanted[2])), round(min(float(height), wanted[3]))
    if (right - left) * (bottom - top) < _LEAST_VISIBLE * 1.8 * wide * high or right <= left or bottom <= top:
        return None
    return rgb[top:bottom, left:right]


def _gradients(grey: Picture) -> Vector:
    """Histograms of the directions of edges in a grid over a face, each cell scaled, as a unit vector of mean 0."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0).astype(np.float32)
    dx, dy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.hypot(dx, dy)
    direction = np.mod(np.arctan2(dy, dx), np.pi) / np.pi * _DIRECTIONS
    cells = []
    for number in range(_DIRECTIONS):  # each edge belongs to the two nearest directions
        away = np.abs(np.mod(direction - number - 0.5 + _DIRECTIONS / 2, _DIRECTIONS) - _DIRECTIONS / 2)
        share = np.clip(1 - away, 0, 1) * strength
        cells.append(cv2.resize(share, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA))
    values = np.stack(cells, axis=-1)
    length = np.sqrt((values**2).sum(-1, keepdims=True))
    values = np.sqrt(values / (length + 0.02 * values.sum() / _CELLS**2 + 1e-6)).ravel()
    return _unit(values - values.mean())


def _colours(rgb: Picture | None) -> Vector:
    """A histogram of a picture's colours, brightness coarsely, blurred over neighbouring bins, as a unit vector."""
    if rgb is None:
        return np.zeros(_BINS // 2 * _BINS * _BINS, np.float32)
    step = max(1, max(rgb.shape[:2]) // 48)
    lab = cv2.cvtColor(np.ascontiguousarray(rgb[::step, ::step]), cv2.COLOR_RGB2LAB)
    # most colours of film lie near grey: the middle half of each axis is divided
    ranges = [0, 256, 80, 176, 80, 176]
    counts = cv2.calcHist([lab], [0, 1, 2], None, [_BINS // 2, _BINS, _BINS], ranges)
    return _unit(np.sqrt(cv2.GaussianBlur(counts, (3, 3), 0.8)).ravel())


def _unit(values: NDArray[np.floating]) -> Vector:
    length = float(np.linalg.norm(values))
    return cast(Vector, (values / length if length > 0 else values).astype(np.float32))
