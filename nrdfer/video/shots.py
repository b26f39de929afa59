"""Detection of camera shots, so that a person is not followed across a cut to another one.

A frame is compared by its thumbnail with the frame before it. Where the picture changes as a whole, a shot ends; where
the new picture resembles the end of an earlier shot, that shot continues (dialogue cuts back and forth, and a damaged
or inserted stretch of film is followed by the old scene). People do not matter here: see `nrdfer.faces.tracking`.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

# Measured on seven real clips: cuts change a thumbnail by 0.41 to 0.95 of its brightness, correlations of at
# most 0.27; the fastest motion and camera shake by at most 0.28 at 0.73 or more.
MAX_CHANGE = 0.35
SURE_CORRELATION = 0.6  # one layout, however much the light changed
LEAST_CORRELATION = 0.3  # another layout, even if as bright
RETURN_CORRELATION = 0.8  # an old scene must be recognised more surely than the present one
MIN_CONTRAST = 2.0  # grey levels; a flatter frame (black, a flash) shows no scene and ends none
_SIZE = (32, 18)
_MAX_SHOTS = 64  # earlier shots that are remembered; a film of more cuts forgets the oldest


class ShotLabeller:
    """Gives each frame of a video, in order, the number of its shot."""

    def __init__(self) -> None:
        self._ends: dict[int, NDArray[np.float32]] = {}  # shot -> thumbnail of its newest frame
        self._current = 0
        self._count = 1

    def label(self, rgb: NDArray[np.uint8]) -> int:
        """The shot of the next frame (H, W, 3) uint8: 0 for the first, known numbers when a scene returns."""
        thumbnail = cast(NDArray[np.float32], cv2.resize(rgb, _SIZE, interpolation=cv2.INTER_AREA).astype(np.float32))
        if _grey(thumbnail).std() < MIN_CONTRAST:
            return self._current
        if self._current in self._ends and not same_scene(self._ends[self._current], thumbnail):
            self._current = self._return_or_begin(thumbnail)
        self._ends[self._current] = thumbnail
        return self._current

    def _return_or_begin(self, thumbnail: NDArray[np.float32]) -> int:
        for shot in reversed(self._ends):
            change, correlation = compare(self._ends[shot], thumbnail)
            if change < MAX_CHANGE and correlation > RETURN_CORRELATION:
                return shot
        while len(self._ends) >= _MAX_SHOTS:
            del self._ends[next(iter(self._ends))]
        self._count += 1
        return self._count - 1


def same_scene(before: NDArray[np.float32], after: NDArray[np.float32]) -> bool:
    """Whether two successive thumbnails may show one scene."""
    change, correlation = compare(before, after)
    return correlation > SURE_CORRELATION or (change < MAX_CHANGE and correlation > LEAST_CORRELATION)


def compare(before: NDArray[np.float32], after: NDArray[np.float32]) -> tuple[float, float]:
    """Mean change relative to the brightness, and the correlation of grey levels."""
    change = float(np.abs(after - before).mean()) / (float(np.maximum(after, before).mean()) + 8.0)
    return change, float(np.corrcoef(_grey(before).ravel(), _grey(after).ravel())[0, 1])


def _grey(thumbnail: NDArray[np.float32]) -> NDArray[np.float32]:
    return cast(NDArray[np.float32], thumbnail.mean(axis=2))
