"""Writing shards: the same clips give the same bytes, whoever writes them.

A clip becomes ``<clip_id>.json`` and ``<clip_id>.<frame:04d>.jpg``, in this order. Members carry no time and no
user; clips are written in the order given, one at a time, so that memory holds one clip however large a shard is.
"""

from __future__ import annotations

import contextlib
import json
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import webdataset as wds

from nrdfer.records import ClipRecord
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex, Span
from nrdfer.shards.jpeg import encode_jpeg
from nrdfer.store import file_sha256

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]
_BLOCK = 512  # of a tar: every member is one block of header and whole blocks of content
_LONGEST_NAME = 100  # bytes, in a tar's header


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
    shard: _Shard | None = None
    try:
        for record, frames in clips:
            members = encode_clip(record, frames, jpeg_quality)
            if record.clip_id in entries:
                raise ValueError(f"two clips have the id {record.clip_id}")
            size = sum(_padded(data) for _, data in members)
            if shard is not None and (
                shard.clips == clips_per_shard or (max_bytes is not None and shard.bytes + size > max_bytes)
            ):
                shards.append(shard.finish())
                shard = None
            if shard is None:
                shard = _Shard(out / f"{prefix}-{len(shards):06d}.tar")
            spans = shard.add(record.clip_id, members)
            entries[record.clip_id] = ClipEntry(len(shards), spans[0], tuple(spans[1:]), record.emotion)
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


def encode_clip(record: ClipRecord, frames: npt.NDArray[np.uint8], quality: int) -> list[tuple[str, bytes]]:
    """A clip's members in order: (extension, content), the record first.

    Raises:
        ValueError: the frames do not fit the record, or the clip's id is too long for a tar's header.
    """
    if frames.ndim != 4 or len(frames) != record.n_frames or not len(frames):
        raise ValueError(
            f"clip {record.clip_id}: the record says {record.n_frames} frames, but the array is {frames.shape}"
        )
    longest = f"{record.clip_id}.{len(frames) - 1:04d}.jpg"
    if len(longest) > _LONGEST_NAME:
        raise ValueError(f"clip id {record.clip_id} is too long: {longest} has more than {_LONGEST_NAME} characters")
    text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"))
    members = [("json", text.encode())]
    members += [(f"{i:04d}.jpg", encode_jpeg(frame, quality)) for i, frame in enumerate(frames)]
    return members


class _Shard:
    """One tar being written under a temporary name; ends in `finish` or in `discard`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clips = 0
        self.bytes = 0  # of the clips; a tar's own end comes on top
        self._names: list[tuple[str, Span]] = []
        self._temporary = path.with_name(f".{path.name}.tmp")
        self._stream: BinaryIO = self._temporary.open("wb")
        self._tar = wds.TarWriter(
            self._stream, encoder=False, mtime=0, user="nrdfer", group="nrdfer", mode=0o644, compress=False
        )

    def discard(self) -> None:
        """Leave nothing of an unfinished shard."""
        self._temporary.unlink(missing_ok=True)
        for part in (self._tar, self._stream):
            with contextlib.suppress(OSError):  # closing writes what is buffered, and the disk may be full
                part.close()

    def add(self, clip_id: str, members: list[tuple[str, bytes]]) -> list[Span]:
        """Append a clip; returns where each member's content lies."""
        spans = []
        for extension, data in members:
            # one write a member: TarWriter would sort the members of a single sample by name
            self._tar.write({"__key__": clip_id, extension: data})
            spans.append((self.bytes + _BLOCK, len(data)))
            self._names.append((f"{clip_id}.{extension}", spans[-1]))
            self.bytes += _padded(data)
        self.clips += 1
        return spans

    def finish(self) -> ShardEntry:
        """Close, flush, read the headers back, and let the shard appear under its name."""
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        with tarfile.open(self._temporary) as tar:
            there = [(member.name, (member.offset_data, member.size)) for member in tar]
        if there != self._names:
            raise RuntimeError(f"{self.path.name}: the tar's members are not where they were put")
        entry = ShardEntry(self.path.name, file_sha256(self._temporary), self._temporary.stat().st_size, self.clips)
        self._temporary.replace(self.path)
        return entry


def _padded(data: bytes) -> int:
    """Bytes that a member takes in a tar: its header, and its content in whole blocks."""
    return _BLOCK + -(-len(data) // _BLOCK) * _BLOCK
