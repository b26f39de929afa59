"""Writing shards one after the other: the same clips give the same bytes, whoever writes them.

A clip becomes ``<clip_id>.json`` and ``<clip_id>.<frame:04d>.jpg``, in this order. Members carry no time and no
user; clips are written in the order given, one at a time, so that memory holds one clip however large a shard is.
Several processes write shards with `groups`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex
from nrdfer.shards.jpeg import encode_jpeg
from nrdfer.shards.tar import LONGEST_NAME, Member, TarShard, padded

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]


def write_shards(
    clips: Iterable[Clip],
    out: Path,
    *,
    prefix: str,
    clips_per_shard: int = 256,
    max_bytes: int | None = None,
    jpeg_quality: int = 95,
    progress: Callable[[int, int], None] | None = None,
) -> ShardIndex:
    """Write clips as ``<prefix>-<number:06d>.tar`` and the index beside them.

    A shard appears under its name only when it is whole and on the disk; the index comes last.

    Args:
        clips: records with frames (T, H, W, 3) RGB; consumed one at a time.
        out: existing folder.
        prefix: first part of the shards' names.
        clips_per_shard: most clips in one shard.
        max_bytes: most bytes in one shard (a single larger clip gets a shard of its own); None for no limit.
        jpeg_quality: 0 to 100.
        progress: called with (clips written, 0); the total is not known here.

    Raises:
        ValueError: two clips have the same id, or a clip's frames do not fit its record.
    """
    if clips_per_shard < 1 or (max_bytes is not None and max_bytes < 1):
        raise ValueError(f"a shard needs room: clips_per_shard={clips_per_shard}, max_bytes={max_bytes}")
    shards: list[ShardEntry] = []
    entries: dict[str, ClipEntry] = {}
    shard: TarShard | None = None
    try:
        for record, frames in clips:
            members = encode_clip(record, frames, jpeg_quality)
            if record.clip_id in entries:
                raise ValueError(f"two clips have the id {record.clip_id}")
            size = sum(padded(data) for _, data in members)
            if shard is not None and (
                shard.clips == clips_per_shard or (max_bytes is not None and shard.bytes + size > max_bytes)
            ):
                shards.append(shard.finish())
                shard = None
            if shard is None:
                shard = TarShard(out / shard_name(prefix, len(shards)))
            entries[record.clip_id] = add_clip(shard, record, members, len(shards))
            if progress is not None:
                progress(len(entries), 0)
        if shard is not None:
            shards.append(shard.finish())
            shard = None
    finally:
        if shard is not None:
            shard.discard()
    index = ShardIndex(tuple(shards), entries)
    index.save(out)
    return index


def shard_name(prefix: str, number: int) -> str:
    """Name of a shard's file."""
    return f"{prefix}-{number:06d}.tar"


def add_clip(shard: TarShard, record: ClipRecord, members: list[Member], number: int) -> ClipEntry:
    """Append a clip to the shard of that number in the index; returns its entry there."""
    spans = shard.add(record.clip_id, members)
    return ClipEntry(number, spans[0], tuple(spans[1:]), record.emotion)


def encode_clip(record: ClipRecord, frames: npt.NDArray[np.uint8], quality: int) -> list[Member]:
    """A clip's members in order: the record, then each frame as JPEG.

    Raises:
        ValueError: the frames do not fit the record, or the clip's id is too long for a tar's header.
    """
    if frames.ndim != 4:
        raise ValueError(f"clip {record.clip_id}: the array is {frames.shape}, expected (T, H, W, 3)")
    return clip_members(record, [encode_jpeg(frame, quality) for frame in frames])


def clip_members(record: ClipRecord, jpegs: Sequence[bytes]) -> list[Member]:
    """A clip's members in order: the record, then its frames, which are JPEGs already.

    Raises:
        ValueError: the frames do not fit the record, or the clip's id is too long for a tar's header.
    """
    if len(jpegs) != record.n_frames or not jpegs:
        raise ValueError(f"clip {record.clip_id}: the record says {record.n_frames} frames, but there are {len(jpegs)}")
    longest = f"{record.clip_id}.{len(jpegs) - 1:04d}.jpg"
    if len(longest) > LONGEST_NAME:
        raise ValueError(f"clip id {record.clip_id} is too long: {longest} has more than {LONGEST_NAME} characters")
    text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"))
    return [("json", text.encode()), *((f"{i:04d}.jpg", data) for i, data in enumerate(jpegs))]
