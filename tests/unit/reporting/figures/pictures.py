"""What a written picture must be: a PNG of that size with something on it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def check_png(path: Path, width: float, height: float | None = None) -> np.ndarray:
    """Read a PNG of so many inches at the figures' resolution; (H, W, 3) RGB."""
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    assert abs(picture.shape[1] - 110 * width) <= 1
    if height is not None:
        assert abs(picture.shape[0] - 110 * height) <= 1
    assert 0.005 < (picture < 128).any(-1).mean() < 0.9  # neither blank nor all ink
    return picture


def share_of(picture: np.ndarray, colour: str, tolerance: int = 12) -> float:
    """Share of pixels of a colour such as #D55E00."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return float((np.abs(picture.astype(int) - wanted).max(-1) <= tolerance).mean())
