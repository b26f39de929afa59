"""Selection of the frames that a network sees: dynamic sampling, or time interpolation (the paper's DS and TI).

Dynamic sampling (paper, sections 3.2 and 4.2; Former-DFER's sampler) takes V consecutive frames from each of U
segments. How frames are interpolated belongs to ``time_interpolation``, what is done to them afterwards to ``augment``.
"""

from __future__ import annotations

import numpy as np


def sample_indices(
    n_frames: int, segments: int = 8, duration: int = 2, rng: np.random.Generator | None = None
) -> list[int]:
    """Indices of the sampled frames, `segments` x `duration` of them, never outside 0 .. n_frames - 1.

    A segment is (n_frames - duration + 1) / segments frames long; training rounds that down, so up to
    `segments` - 1 frames at the end are seen in testing only. Training starts at a random place of each segment,
    testing at its middle. A clip too short for segments of one frame starts each at frame 0.

    Args:
        n_frames: frames of the clip, at least 1.
        segments: U.
        duration: V.
        rng: for training; None samples the middle of each segment.

    Raises:
        ValueError: the clip has no frame.
    """
    if n_frames < 1:
        raise ValueError(f"a clip of {n_frames} frames cannot be sampled")
    span = n_frames - duration + 1
    if rng is None:
        tick = span / segments
        starts = [int(tick / 2 + tick * i) for i in range(segments)] if span > segments else []
    else:
        length = span // segments
        starts = [i * length + int(rng.integers(length)) for i in range(segments)] if length > 0 else []
    starts = starts or [0] * segments
    return [min(start + i, n_frames - 1) for start in starts for i in range(duration)]
