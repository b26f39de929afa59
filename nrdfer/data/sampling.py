"""Selection of the frames that a network sees: dynamic sampling, or time interpolation (the paper's DS and TI).

Dynamic sampling takes V frames from each of U segments (paper, sections 3.2 and 4.2). For training the paper picks them
at random; the code of its first author, and Former-DFER's, takes V consecutive ones from a random place, which is the
default here. How frames are interpolated belongs to ``time_interpolation``, what is done to them afterwards to
``augment``.
"""

from __future__ import annotations

import numpy as np


def sample_indices(
    n_frames: int,
    segments: int = 8,
    duration: int = 2,
    rng: np.random.Generator | None = None,
    pick: str = "consecutive",
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
        pick: in training, ``consecutive`` frames, or ``random`` ones: any of a segment's n_frames / segments, in order.
            Testing is the same for both.

    Raises:
        ValueError: the clip has no frame.
    """
    if n_frames < 1:
        raise ValueError(f"a clip of {n_frames} frames cannot be sampled")
    if rng is not None and pick == "random":
        return _picked(n_frames, segments, duration, rng)
    span = n_frames - duration + 1
    if rng is None:
        tick = span / segments
        starts = [int(tick / 2 + tick * i) for i in range(segments)] if span > segments else []
    else:
        length = span // segments
        starts = [i * length + int(rng.integers(length)) for i in range(segments)] if length > 0 else []
    starts = starts or [0] * segments
    return [min(start + i, n_frames - 1) for start in starts for i in range(duration)]


def _picked(n_frames: int, segments: int, duration: int, rng: np.random.Generator) -> list[int]:
    """`duration` frames of each segment, without repetition unless the segment is shorter than that."""
    found: list[int] = []
    for segment in range(segments):
        first, end = segment * n_frames // segments, (segment + 1) * n_frames // segments
        first = min(first, n_frames - 1)
        length = max(end - first, 1)
        found += sorted(int(i) for i in first + rng.choice(length, duration, replace=length < duration))
    return found
