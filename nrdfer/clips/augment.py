"""Clip-consistent augmentation: one crop, flip, rotation and colour change for all frames of a clip.

What the paper says: random cropping, horizontal flipping, colour jittering (section 4.2). How strongly is not said;
the defaults are the author's later code (area .9 to 1, ratio 5/7 to 7/5, brightness .6, rotation 4 degrees).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class AugmentSettings:
    """Ranges of the random changes.

    Raises:
        ValueError: a range that is empty or a share outside 0 to 1.
    """

    area: tuple[float, float] = (0.9, 1.0)  # share of the picture that a crop keeps
    ratio: tuple[float, float] = (5 / 7, 7 / 5)  # width to height of the crop
    flip: float = 0.5  # probability
    rotation: float = 4.0  # degrees, either way
    brightness: float = 0.6  # factor from 1 - b to 1 + b
    contrast: float = 0.0  # factor from 1 - c to 1 + c around the clip's mean

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must be a range inside 0 to 1, not {self.area}")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(f"ratio must be a range of positive numbers, not {self.ratio}")
        for name in ("flip", "brightness", "contrast"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0 to 1, not {getattr(self, name)}")
        if not 0 <= self.rotation < 180:
            raise ValueError(f"rotation must lie in 0 to 180 degrees, not {self.rotation}")


@dataclass(frozen=True)
class Change:
    """One draw: where output pixels come from, and the colour change; the same for every frame of the clip."""

    matrix: npt.NDArray[np.float64]  # 2 x 3, source pixels to output pixels
    brightness: float = 1.0
    contrast: float = 1.0


def plain(size: tuple[int, int], out: int) -> Change:
    """No augmentation: the whole picture (height, width), scaled to `out` x `out`."""
    height, width = size
    sx, sy = out / width, out / height
    # Pixel centres lie at +0.5.
    return Change(np.array([[sx, 0, 0.5 * sx - 0.5], [0, sy, 0.5 * sy - 0.5]]))


def draw(size: tuple[int, int], out: int, settings: AugmentSettings, rng: np.random.Generator) -> Change:
    """Draw one change for a clip of pictures of `size` (height, width)."""
    height, width = size
    crop_w, crop_h = float(width), float(height)
    for _ in range(10):
        area = rng.uniform(*settings.area) * width * height
        ratio = math.exp(rng.uniform(math.log(settings.ratio[0]), math.log(settings.ratio[1])))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            crop_w, crop_h = w, h
            break
    centre_x = rng.uniform(crop_w / 2, width - crop_w / 2)
    centre_y = rng.uniform(crop_h / 2, height - crop_h / 2)
    angle = math.radians(rng.uniform(-settings.rotation, settings.rotation))
    mirror = -1.0 if rng.random() < settings.flip else 1.0
    brightness = rng.uniform(max(0.0, 1 - settings.brightness), 1 + settings.brightness)
    contrast = rng.uniform(max(0.0, 1 - settings.contrast), 1 + settings.contrast)
    scale = np.diag([mirror * out / crop_w, out / crop_h])
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = scale @ turn
    middle = (out - 1) / 2
    shift = np.array([middle, middle]) - linear @ np.array([centre_x - 0.5, centre_y - 0.5])
    return Change(np.column_stack([linear, shift]), brightness, contrast)


def apply(frames_THWC: npt.NDArray[np.uint8], change: Change, out: int) -> npt.NDArray[np.float32]:
    """Apply one change to every frame: (T, H, W, 3) uint8 -> (T, 3, out, out) float32, values 0 to 1.

    No mean is subtracted and no deviation divided by, as in the author's later code.
    """
    warped = np.stack(
        [
            cv2.warpAffine(frame, change.matrix, (out, out), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            for frame in frames_THWC
        ]
    )
    x = warped.transpose(0, 3, 1, 2).astype(np.float32) / 255.0
    if change.brightness != 1.0 or change.contrast != 1.0:
        mean = x.mean()
        x = np.clip(((x - mean) * change.contrast + mean) * change.brightness, 0.0, 1.0)
    return np.ascontiguousarray(x, dtype=np.float32)
