"""Clip-consistent augmentation: one crop, flip, rotation and colour change for all frames of a clip, in two passes.

What the paper says: random cropping, horizontal flipping, colour jittering (section 4.2). The strength is not stated;
the defaults are those of the author's later code (area .9 to 1, ratio 5/7 to 7/5, brightness .6, rotation 4 degrees).

Pixels are changed here with OpenCV, clip by clip: one warp, one table of colours. The same for a batch on a GPU belongs
to ``augment_gpu``. Shapes: T frames, H x W pixels of a source frame, S x S of an output frame, D draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.data.settings import AugmentSettings

_ATTEMPTS = 10  # at a crop inside the picture
#: Numbers from 0 to 1 that one change is made of, at most.
DRAWS = 2 * _ATTEMPTS + 6
_LEVELS = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass(frozen=True)
class Change:
    """One draw: where output pixels come from, and the colour change; the same for every frame of the clip."""

    matrix: npt.NDArray[np.float64]  # 2 x 3, source pixels to output pixels
    brightness: float = 1.0
    contrast: float = 1.0

    def inverse(self) -> npt.NDArray[np.float64]:
        """The transform (2, 3) from output pixels to source pixels."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), np.float64)


def plain(size: tuple[int, int], out: int) -> Change:
    """No augmentation: the whole picture (height, width), scaled to `out` x `out`."""
    height, width = size
    sx, sy = out / width, out / height
    # Pixel centres are at +0.5.
    return Change(np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5]]))


def change_of(size: tuple[int, int], out: int, settings: AugmentSettings, draws_D: Sequence[float]) -> Change:
    """The change that `DRAWS` numbers from 0 to 1 encode for pictures of `size` (height, width)."""
    height, width = size
    following = iter(draws_D)

    def between(low: float, high: float) -> float:
        return low + (high - low) * next(following)

    crop_w, crop_h = float(width), float(height)
    for _ in range(_ATTEMPTS):
        area = between(*settings.area) * width * height
        ratio = math.exp(between(math.log(settings.ratio[0]), math.log(settings.ratio[1])))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            crop_w, crop_h = w, h
            break
    centre_x = between(crop_w / 2, width - crop_w / 2) - 0.5
    centre_y = between(crop_h / 2, height - crop_h / 2) - 0.5
    angle = math.radians(between(-settings.rotation, settings.rotation))
    mirror = -1.0 if next(following) < settings.flip else 1.0
    brightness = between(max(0.0, 1 - settings.brightness), 1 + settings.brightness)
    contrast = between(max(0.0, 1 - settings.contrast), 1 + settings.contrast)
    # Turn around the crop's centre, then mirror and scale it to the whole output.
    sx, sy, cos, sin, middle = mirror * out / crop_w, out / crop_h, math.cos(angle), math.sin(angle), (out - 1) / 2
    a, b, c, d = sx * cos, -sx * sin, sy * sin, sy * cos
    shift_x, shift_y = middle - (a * centre_x + b * centre_y), middle - (c * centre_x + d * centre_y)
    return Change(np.array([[a, b, shift_x], [c, d, shift_y]]), brightness, contrast)


def apply(frames_THWC: npt.NDArray[np.uint8], change: Change, out: int) -> npt.NDArray[np.float32]:
    """Apply one change to every frame: (T, H, W, 3) uint8 -> (T, 3, out, out) float32, values 0 to 1.

    No mean is subtracted and no deviation divided by, as in the author's later code. The result is a view of memory
    whose last axis is the colours, which convolutions take as it is (``channels_last``).
    """
    x_TSSC = np.empty((len(frames_THWC), out, out, 3), np.float32)
    apply_into(frames_THWC, change, x_TSSC)
    return x_TSSC.transpose(0, 3, 1, 2)


def apply_into(frames_THWC: npt.NDArray[np.uint8], change: Change, x_TSSC: npt.NDArray[np.float32]) -> None:
    """Apply one change to every frame and write values from 0 to 1 into `x_TSSC`: one warp, one table look-up.

    Raises:
        ValueError: `x_TSSC` is not float32 of T square pictures in one piece of memory.
    """
    frames, side = len(frames_THWC), x_TSSC.shape[1]
    # OpenCV would quietly write into memory of its own.
    if x_TSSC.shape != (frames, side, side, 3) or x_TSSC.dtype != np.float32 or not x_TSSC.flags.c_contiguous:
        raise ValueError(f"x_TSSC must be contiguous float32 ({frames}, S, S, 3), not {x_TSSC.dtype} {x_TSSC.shape}")
    warped_TSSC = warp(frames_THWC, change, side)
    table = colours(change, float(warped_TSSC.mean()) if change.contrast != 1.0 else 0.0)
    rows = (frames * side, side * 3)
    cv2.LUT(warped_TSSC.reshape(rows), table, dst=x_TSSC.reshape(rows))


def warp(frames_THWC: npt.NDArray[np.uint8], change: Change, out: int) -> npt.NDArray[np.uint8]:
    """Crop, flip, rotate and resize every frame: (T, H, W, 3) uint8 -> (T, out, out, 3) uint8.

    Source positions are rounded to 1/32 of a pixel, as in ``cv2.warpAffine``; outside is the mirrored
    picture.
    """
    warped_TSSC = np.empty((len(frames_THWC), out, out, 3), np.uint8)
    where, share = _map(change, out)
    for frame_HWC, warped_SSC in zip(frames_THWC, warped_TSSC, strict=True):
        cv2.remap(frame_HWC, where, share, cv2.INTER_LINEAR, dst=warped_SSC, borderMode=cv2.BORDER_REFLECT_101)
    return warped_TSSC


def _map(change: Change, out: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.uint16]]:
    """Source position of each output pixel, in OpenCV's fixed-point form: whole pixels, and 1/32 of them."""
    inverse, pixel = change.inverse(), np.arange(out)
    x, y = (
        (row[0] * pixel).astype(np.float32) + (row[1] * pixel + row[2]).astype(np.float32)[:, None] for row in inverse
    )
    where, share = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return np.asarray(where, np.int16), np.asarray(share, np.uint16)


def colours(change: Change, mean: float) -> npt.NDArray[np.float32]:
    """Look-up table of the 256 levels, values 0 to 1.

    Args:
        change: brightness and contrast.
        mean: of the whole clip, in levels; contrast is spread around it.
    """
    if change.brightness == 1.0 and change.contrast == 1.0:
        return _LEVELS
    middle = mean / 255
    spread = ((_LEVELS.astype(np.float64) - middle) * change.contrast + middle) * change.brightness
    return np.clip(spread, 0.0, 1.0).astype(np.float32)
