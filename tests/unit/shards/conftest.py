"""Clips of moving gradients: JPEG codes them well, so that a decoded frame can be told from its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord, FrameRecord

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]
SIZE = 24


def make_clip(number: int, n_frames: int) -> Clip:
    rng = np.random.default_rng([number, n_frames])
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    colour, phase = rng.random((2, n_frames, 1, 1, 3))
    waves = np.sin(3 * x[..., None] * colour + 3 * y[..., None] * (1 - colour) + 6 * phase)
    frames = (255 * (0.5 + 0.5 * waves)).astype(np.uint8)
    points = tuple((float(i), i / 3) for i in range(5))
    record = ClipRecord(
        corpus="made-up",
        clip_id=f"train_Fear_{number:05d}",
        emotion=EMOTIONS[number % 7] if number % 9 else None,
        split="train",
        n_frames=n_frames,
        source_sha256="0" * 64,
        frames=tuple(FrameRecord(i, i % 2 == 0, 0.5, (0.0, 1.0, 2.5, 3.0), points, 0.1) for i in range(n_frames)),
    )
    return record, frames


@pytest.fixture(scope="session")
def clips() -> list[Clip]:
    return [make_clip(number, 1 + (5 * number) % 12) for number in range(1, 11)]


@pytest.fixture
def shards(tmp_path: Path, clips: list[Clip]) -> Path:
    """Ten clips in shards of four."""
    write_shards(clips, tmp_path, prefix="x", clips_per_shard=4)
    return tmp_path


@pytest.fixture(scope="session")
def new_clip() -> Callable[[int, int], Clip]:
    return make_clip
