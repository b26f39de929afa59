"""Backgrounds of rendered scenes: rooms of soft colours, texture and objects, some skin-coloured and round."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Map = npt.NDArray[np.floating]  # float32 in truth; the stubs call float32 times a number float64


def draw_background(rng: np.random.Generator, width: int, height: int) -> Map:
    """A picture without any face: (height, width, 3), 0 to 1.

    Wide pictures are drawn at half size and enlarged; nothing in a background is sharp enough to show it.
    """
    half = min(width, height) > 400
    w, h = (width // 2, height // 2) if half else (width, height)
    picture = _room(rng, w, h)
    for _ in range(int(rng.integers(2, 9))):
        _thing(picture, rng)
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.8, 3.5))), np.float32)
    if half:
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    textured: Map = np.clip(picture + _texture(rng, width, height), 0, 1)
    return textured


def _room(rng: np.random.Generator, width: int, height: int) -> Map:
    """Walls in slowly varying, mostly muted colours."""
    grey, colour = rng.uniform(0.1, 0.75), rng.uniform(0.1, 0.75, 3)
    muted = rng.uniform(0.2, 1.0)
    cells = int(rng.integers(3, 9))
    change = rng.normal(0, 0.08, (cells, cells, 1)) + rng.normal(0, 0.08, (cells, cells, 3)) * (1.2 - muted)
    coarse = np.clip(grey * muted + colour * (1 - muted) + change, 0.02, 0.98).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _thing(picture: Map, rng: np.random.Generator) -> None:
    height, width = picture.shape[:2]
    colour = rng.uniform(0.05, 0.95, 3)
    if rng.random() < 0.35:  # as skin, so that colour alone does not identify a face
        colour = np.clip(np.array([0.75, 0.55, 0.45]) * rng.uniform(0.4, 1.2), 0, 1)
    x, y = int(rng.integers(width)), int(rng.integers(height))
    a, b = (int(v) + 2 for v in rng.uniform(0.03, 0.3, 2) * min(width, height))
    kind = rng.random()
    if kind < 0.5:
        turn = float(rng.uniform(0, 180))
        cv2.ellipse(picture, (x, y), (a, b), turn, 0, 360, colour.tolist(), -1, cv2.LINE_AA)
    elif kind < 0.85:
        cv2.rectangle(picture, (x, y), (x + 2 * a, y + 2 * b), colour.tolist(), -1)
    else:  # something with bars: blinds, shelves, railings
        step = max(4, a // 3)
        for k in range(int(rng.integers(3, 8))):
            bar = (x + k * step, y), (x + k * step + step // 2, y + 3 * b)
            cv2.rectangle(picture, *bar, (colour * rng.uniform(0.8, 1.0)).tolist(), -1)


def _texture(rng: np.random.Generator, width: int, height: int) -> Map:
    """Fine grey texture, (height, width, 1)."""
    cell = int(rng.integers(2, 7))
    grain = rng.standard_normal((height // cell + 1, width // cell + 1), dtype=np.float32)
    strength = np.float32(rng.uniform(0.0, 0.035))
    fine = cv2.resize(grain * strength, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, np.float32)[..., None]
