"""Camera model of the rendered scenes: exposure, noise, 8 bits. Nothing here knows of faces."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.background import Map

Picture = npt.NDArray[np.uint8]
_SHIFT = 48  # largest offset of a frame's noise from the tile's corner, pixels


def finish(picture: Map, rng: np.random.Generator, gain: float = 1.0, noise: float = 0.015) -> Picture:
    """One photograph: exposure `gain`, grey noise of standard deviation `noise`, 8 bits."""
    grain = rng.standard_normal(picture.shape[:2], dtype=np.float32)[..., None] * np.float32(noise)
    return (np.clip(picture * np.float32(gain) + grain, 0, 1) * 255 + 0.5).astype(np.uint8)


class Camera:
    """A video camera: the noise of all frames is cut from one tile, which is fast and still differs by frame.

    Args:
        rng: of the noise.
        width: of a frame, pixels.
        height: of a frame, pixels.
        gain: exposure, 1 as the scene is, below 0.4 dark.
        noise: standard deviation, 0 to 1 scale.
    """

    def __init__(self, rng: np.random.Generator, width: int, height: int, gain: float, noise: float) -> None:
        self._rng, self._gain = rng, gain
        grain = rng.standard_normal((height + _SHIFT, width + _SHIFT, 1), dtype=np.float32)
        coloured = grain + 0.4 * rng.standard_normal((height + _SHIFT, width + _SHIFT, 3), dtype=np.float32)
        self._tile = np.rint(coloured * np.float32(255 * noise)).astype(np.int16)

    def photograph(self, picture: Map) -> Picture:
        """(H, W, 3) float, 0 to 1, to uint8 with exposure and noise."""
        height, width = picture.shape[:2]
        y, x = (int(v) for v in self._rng.integers(0, _SHIFT, 2))
        exposed = cv2.convertScaleAbs(picture, alpha=255 * self._gain)
        return np.asarray(cv2.add(exposed, self._tile[y : y + height, x : x + width], dtype=cv2.CV_8U), np.uint8)
