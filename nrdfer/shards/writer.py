"""Writing shards: the same clips give the same bytes, whoever writes them.

A clip becomes ``<clip_id>.json`` and ``<clip_id>.<frame:04d>.jpg``, in this order. Members carry no time and no
user; keys are written in the order of the clips given.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import webdataset as wds

from nrdfer.records import ClipRecord
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex, Span
from nrdfer.store import file_sha256

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]


def write_shards(
    clips: Iterable[Clip],
    out: Path,
    *,
    prefix: str,
    clips_per_shard: int = 256,
    jpeg_quality: int = 95,
    progress: Callable[[int, int], None] | None = None,
) -> ShardIndex:
    """Write clips as ``<prefix>-<number:06d>.tar`` and the index beside them.

    Args:
        clips: records with frames (T, H, W, 3) RGB; consumed one at a time.
        out: existing folder.
        prefix: first part of the shards' names.
        clips_per_shard: clips in every shard but the last.
        jpeg_quality: 0 to 100.
        progress: called with (clips written, 0); the total is not known here.

    Raises:
        ValueError: two clips have the same id, or a clip's frames do not fit its record.
    """
    shards: list[ShardEntry] = []
    entries: dict[str, ClipEntry] = {}
    batch: list[Clip] = []

    def flush() -> None:
        if not batch:
            return
        path = out / f"{prefix}-{len(shards):06d}.tar"
        _write_tar(batch, path, jpeg_quality)
        spans = _spans(path)
        for record, frames in batch:
            members = [spans[f"{record.clip_id}.{i:04d}.jpg"] for i in range(len(frames))]
            entries[record.clip_id] = ClipEntry(len(shards), spans[f"{record.clip_id}.json"], tuple(members))
        shards.append(ShardEntry(path.name, file_sha256(path), path.stat().st_size, len(batch)))
        batch.clear()

    seen: set[str] = set()
    for record, frames in clips:
        if record.clip_id in seen:
            raise ValueError(f"two clips have the id {record.clip_id}")
        if len(frames) != record.n_frames:
            raise ValueError(
                f"clip {record.clip_id}: record says {record.n_frames} frames, {len(frames)} given"
            )
        seen.add(record.clip_id)
        batch.append((record, frames))
        if len(batch) == clips_per_shard:
            flush()
        if progress is not None:
            progress(len(seen), 0)
    flush()
    index = ShardIndex(tuple(shards), entries)
    index.save(out)
    return index


def encode_jpeg(frame: npt.NDArray[np.uint8], quality: int) -> bytes:
    """One RGB frame (H, W, 3) as JPEG."""
    ok, data = cv2.imencode(".jpg", frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise ValueError(f"a frame of shape {frame.shape} could not be encoded as JPEG")
    return bytes(data)


def _write_tar(clips: list[Clip], path: Path, quality: int) -> None:
    temporary = path.with_suffix(".tar.tmp")
    with temporary.open("wb") as stream:
        writer = wds.TarWriter(stream, encoder=False, mtime=0, user="nrdfer", group="nrdfer", mode=0o644)
        for record, frames in clips:
            # One write a member: TarWriter would sort the members of a single sample by name.
            text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"))
            writer.write({"__key__": record.clip_id, "json": text.encode()})
            for i, frame in enumerate(frames):
                writer.write({"__key__": record.clip_id, f"{i:04d}.jpg": encode_jpeg(frame, quality)})
        writer.close()
    temporary.replace(path)


def _spans(path: Path) -> dict[str, Span]:
    with tarfile.open(path) as tar:
        return {member.name: (member.offset_data, member.size) for member in tar}
