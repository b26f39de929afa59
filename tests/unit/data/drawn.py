"""Drawn clips for the tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.in_memory import MemorySource


def smooth(rng: np.random.Generator, frames: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Pictures (T, H, W, 3) whose detail is as coarse as a photograph's."""
    small = rng.integers(0, 256, (frames, height // 8, width // 8, 3), dtype=np.uint8)
    return np.stack(
        [np.asarray(cv2.resize(f, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8) for f in small]
    )


def source(lengths: Sequence[int], sides: Sequence[int] = (24,)) -> MemorySource:
    """Clips of these lengths, and of these sides in turn."""
    rng = np.random.default_rng(0)
    return MemorySource(
        (
            ClipRecord("dfew", f"{i:05d}", EMOTIONS[i % 7], "", length, "0" * 64),
            smooth(rng, length, sides[i % len(sides)], sides[i % len(sides)]),
        )
        for i, length in enumerate(lengths)
    )
