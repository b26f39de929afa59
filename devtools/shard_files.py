"""Shards of a few clips in memory, for tests and measurements.

Corpora are packed by `nrdfer.preprocessing`, in groups that survive a crash.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.writer import EncodedClip, publish_groups, shard_name, write_group
from nrdfer.video.jpeg import encode_jpeg

Clip = tuple[ClipRecord, npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]]]


def encoded(clip: Clip, quality: int = 95) -> EncodedClip:
    """A clip with its frames (T, H, W, 3) RGB as JPEGs."""
    record, frames = clip
    return record, [encode_jpeg(frame, quality) for frame in frames]


def write_shards(
    clips: Iterable[Clip], out: Path, *, prefix: str, clips_per_shard: int = 256, jpeg_quality: int = 95
) -> ShardIndex:
    """Write clips, consumed one at a time, as ``<prefix>-<number:06d>.tar`` and the index beside them."""
    left = (encoded(clip, jpeg_quality) for clip in clips)
    names: list[str] = []
    with tempfile.TemporaryDirectory(dir=out.parent) as work:
        for first in left:
            names.append(shard_name(prefix, len(names)))
            group = itertools.chain([first], itertools.islice(left, clips_per_shard - 1))
            write_group(group, Path(work), names[-1])
        return publish_groups(Path(work), names, out)[0]
