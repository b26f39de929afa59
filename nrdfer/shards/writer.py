"""Writing shards of every corpus: clips in fixed groups, written by any process, in any order, repeatably.

A clip becomes ``<clip_id>.json`` and ``<clip_id>.<frame:04d>.jpg``, in this order. The tar is written by WebDataset's
`TarWriter` with a fixed time, user, group and mode, in the plain USTAR format, so the same clips give the same bytes on
any machine. Added here: the offset of each member, and a name that appears only when the tar is complete and on the
disk. (Importing it imports torch, in each process that writes.)

A group is written as a shard of its own name, a small file beside it (its part of the index, and the excluded clips)
and, last, a receipt for both. So after a crash, or a power cut, only groups that are incomplete or changed are written
again. A group without a usable clip has that file, and no shard. Memory holds one clip. Forming groups and reading
their clips belong to the caller.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from webdataset import TarWriter

from nrdfer.core.atomic_files import sync, write_whole
from nrdfer.core.errors import StoreError
from nrdfer.core.progress import Progress
from nrdfer.core.records import ClipRecord
from nrdfer.runtime import process_pool
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex
from nrdfer.shards.spans import Span
from nrdfer.store import file_sha256
from nrdfer.store.entries import Verify
from nrdfer.store.receipts import vouch, vouched

LONGEST_NAME = 100  # bytes, in a tar's header
_TEMPORARY = ".*.tar.*.tmp"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ExcludedClip:
    """A clip that cannot be used, and the reason."""

    clip_id: str
    reason: str


EncodedClip = tuple[ClipRecord, Sequence[bytes]]  # a JPEG for each frame


class GroupJob(Protocol):
    """A group of clips that one process reads and writes."""

    @property
    def name(self) -> str:
        """Name of its shard."""
        ...

    @property
    def count(self) -> int:
        """Number of clips."""
        ...

    def clips(self) -> Iterator[EncodedClip | ExcludedClip]:
        """Read the clips, one at a time."""
        ...


def build_shards(
    jobs: Sequence[GroupJob],
    work: Path,
    out: Path,
    *,
    workers: int,
    what: str,
    progress: Progress | None = None,
) -> tuple[ShardIndex, list[ExcludedClip]]:
    """Write all groups to `work`, and collect them in `out` with one index.

    Args:
        jobs: the groups, in the order of the index.
        work: folder that survives a crash; finished groups found there are kept.
        out: folder that receives the shards and their index.
        workers: processes; 0: this one. The bytes do not depend on it.
        what: name of the work, for messages.
        progress: called with (clips done, clips).

    Returns:
        The index, and the excluded clips, in order.

    Raises:
        NrdferError: worker processes keep dying.
        ValueError: two clips have the same id.
    """
    for path in work.glob(_TEMPORARY):  # of killed writers: no other process writes here
        path.unlink(missing_ok=True)
    left = [job for job in jobs if read_group(work, job.name) is None]
    total = sum(job.count for job in jobs)
    done = total - sum(job.count for job in left)
    if progress is not None:
        progress(done, total)
    pool = process_pool.completed(write_job, left, workers=workers, what=what, shared=work)
    for job, _ in pool if workers else ((job, None) for job in left):
        if not workers:
            write_job(job, work)
        done += job.count
        if progress is not None:
            progress(done, total)
    return publish_groups(work, [job.name for job in jobs], out)


def write_job(job: GroupJob, work: Path) -> None:
    """Read and write one group."""
    write_group(job.clips(), work, job.name)


def shard_name(prefix: str, number: int) -> str:
    """Name of a shard's file."""
    return f"{prefix}-{number:06d}.tar"


def write_group(clips: Iterable[EncodedClip | ExcludedClip], folder: Path, name: str) -> None:
    """Write one group of clips into `folder`, as the shard `name` and the small file beside it.

    Raises:
        ValueError: two clips have the same id, frames do not fit their record, or an id is too long for a tar's header.
    """
    entries: dict[str, ClipEntry] = {}
    excluded: list[ExcludedClip] = []
    with contextlib.closing(_TarShard(folder / name)) as shard:
        for clip in clips:
            if isinstance(clip, ExcludedClip):
                excluded.append(clip)
                continue
            record, jpegs = clip
            if record.clip_id in entries:
                raise ValueError(f"two clips have the id {record.clip_id}")
            entries[record.clip_id] = shard.add(record, jpegs)
        shards = (shard.finish(len(entries)),) if entries else ()
    document = {
        "index": ShardIndex(shards, entries).to_dict(),
        "set_aside": [[clip.clip_id, clip.reason] for clip in excluded],
    }
    sidecar = _sidecar(folder, name)
    write_whole(sidecar, json.dumps(document, separators=(",", ":")).encode())
    files = [*(entry.name for entry in shards), sidecar.name]
    vouch(folder, name, files, {entry.name: entry.sha256 for entry in shards})


class _TarShard:
    """One tar being written under a temporary name; `close` leaves nothing of it unless it was finished."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._spans: list[tuple[str, Span]] = []
        self._temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        self._stream: BinaryIO = self._temporary.open("wb")
        self._tar = TarWriter(
            self._stream, user="nrdfer", group="nrdfer", mode=0o644, mtime=0, encoder=False, compress=False
        )

    def add(self, record: ClipRecord, jpegs: Sequence[bytes]) -> ClipEntry:
        """Append a clip; returns its entry, in a shard that is the only one."""
        if len(jpegs) != record.n_frames or not jpegs:
            raise ValueError(
                f"clip {record.clip_id}: the record says {record.n_frames} frames, but there are {len(jpegs)}"
            )
        longest = f"{record.clip_id}.{len(jpegs) - 1:04d}.jpg"
        if len(longest) > LONGEST_NAME:
            raise ValueError(f"clip id {record.clip_id} is too long: {longest} has more than {LONGEST_NAME} characters")
        text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":"))
        members = [("json", text.encode()), *((f"{i:04d}.jpg", data) for i, data in enumerate(jpegs))]
        spans = []
        for extension, data in members:  # one by one: given together, they would be sorted
            spans.append((self._tar.tarstream.offset + tarfile.BLOCKSIZE, len(data)))
            self._tar.write({"__key__": record.clip_id, extension: data})
            self._spans.append((f"{record.clip_id}.{extension}", spans[-1]))
        self._tar.tarstream.members.clear()  # it would keep every header
        return ClipEntry(0, spans[0], tuple(spans[1:]), record.emotion)

    def finish(self, clips: int) -> ShardEntry:
        """End the tar, flush, read the headers back, and let the shard appear under its name."""
        self._tar.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._check()
        entry = ShardEntry(self.path.name, file_sha256(self._temporary), self._temporary.stat().st_size, clips)
        self._temporary.replace(self.path)
        sync(self.path.parent)  # before anything names it
        return entry

    def close(self) -> None:
        """Close the file, and remove it if it is still under its temporary name."""
        self._temporary.unlink(missing_ok=True)
        for part in (self._tar, self._stream):
            with contextlib.suppress(OSError):  # closing writes what is buffered, and the disk may be full
                part.close()

    def _check(self) -> None:
        with tarfile.open(self._temporary) as tar:
            for name, span in self._spans:
                there = tar.next()
                if there is None or (there.name, (there.offset_data, there.size)) != (name, span):
                    raise RuntimeError(f"{self.path.name}: the tar's members are not where they were put")
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if tar.next() is not None:
                raise RuntimeError(f"{self.path.name}: the tar holds more members than were put there")


def read_group(folder: Path, name: str, verify: Verify = "full") -> tuple[ShardIndex, list[ExcludedClip]] | None:
    """A finished group: an index of at most one shard, and the excluded clips; None if it must be written (again).

    Args:
        folder: that it was written to.
        name: of its shard.
        verify: see `nrdfer.store.receipts.vouched`.
    """
    if vouched(folder, name, verify) is None:
        return None
    path = _sidecar(folder, name)
    try:
        document = json.loads(path.read_bytes())
        excluded = [ExcludedClip(clip_id, reason) for clip_id, reason in document["set_aside"]]
        return ShardIndex.from_dict(document["index"], str(path)), excluded
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError) as error:
        _log.warning("%s: %s; its clips are written again", path, error)
        return None


def publish_groups(folder: Path, names: Sequence[str], out: Path) -> tuple[ShardIndex, list[ExcludedClip]]:
    """Collect finished groups in `out`, with one index; returns it, and the excluded clips, in order.

    Shards are linked, not copied: a crash in between loses nothing, and no disk space is used.

    Raises:
        StoreError: a group is not finished.
        ValueError: two clips have the same id.
    """
    shards: list[ShardEntry] = []
    entries: dict[str, ClipEntry] = {}
    excluded: list[ExcludedClip] = []
    for name in names:
        group = read_group(folder, name, "sizes")  # its content was verified when it was found finished
        if group is None:
            raise StoreError(f"{folder / name} is not finished, or was changed while its step ran; run the step again")
        index, unusable = group
        excluded += unusable
        for clip_id, entry in index.clips.items():
            if clip_id in entries:
                raise ValueError(f"two clips have the id {clip_id}")
            entries[clip_id] = ClipEntry(len(shards), entry.record, entry.frames, entry.emotion)
        for shard in index.shards:
            _move(folder / shard.name, out / shard.name)
            shards.append(shard)
    whole = ShardIndex(tuple(shards), entries)
    whole.save(out)
    return whole, excluded


def _move(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links: if this step is killed now, this shard is written again
        source.replace(target)


def _sidecar(folder: Path, name: str) -> Path:
    return folder / f"{name}.group.json"
