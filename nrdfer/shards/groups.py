"""Shards written in groups of clips that are fixed beforehand: any process may write any group, in any order, again.

A group becomes a shard of its own name, a small file beside it (its part of the index, and the clips that were set
aside) and, last, a receipt for both. So after a crash, or a power cut, only groups that are not as they were written
are written again; the bytes do not depend on who wrote them. A group without one usable clip has that file, and no
shard. Which clips form a group, and reading them, is the caller's business.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ClipEntry, ShardEntry, ShardIndex
from nrdfer.shards.tar import Member, TarShard
from nrdfer.shards.writer import add_clip
from nrdfer.store.entries import Verify
from nrdfer.store.receipts import vouch, vouched

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SetAside:
    """A clip that cannot be used, and why."""

    clip_id: str
    reason: str


EncodedClip = tuple[ClipRecord, list[Member]]


@dataclass(frozen=True, slots=True)
class Group:
    """A finished group: an index of at most one shard, and the clips set aside."""

    index: ShardIndex
    set_aside: tuple[SetAside, ...]

    @property
    def clips(self) -> int:
        """Clips of the group, used or set aside."""
        return len(self.index.clips) + len(self.set_aside)


def write_group(clips: Iterable[EncodedClip | SetAside], folder: Path, name: str) -> None:
    """Write one group of clips into `folder`, as the shard `name` and the small file beside it.

    Raises:
        ValueError: two clips have the same id.
    """
    shard: TarShard | None = None
    entries: dict[str, ClipEntry] = {}
    excluded: list[SetAside] = []
    shards: tuple[ShardEntry, ...] = ()
    try:
        for clip in clips:
            if isinstance(clip, SetAside):
                excluded.append(clip)
                continue
            record, members = clip
            if record.clip_id in entries:
                raise ValueError(f"two clips have the id {record.clip_id}")
            if shard is None:
                shard = TarShard(folder / name)
            entries[record.clip_id] = add_clip(shard, record, members, 0)
        if shard is not None:
            shards = (shard.finish(),)
            shard = None
    finally:
        if shard is not None:
            shard.discard()
    document = {
        "index": ShardIndex(shards, entries).to_dict(),
        "set_aside": [[clip.clip_id, clip.reason] for clip in excluded],
    }
    sidecar = _sidecar(folder, name)
    write_whole(sidecar, json.dumps(document, separators=(",", ":")).encode())
    vouch(
        folder, name, [*(entry.name for entry in shards), sidecar.name], {entry.name: entry.sha256 for entry in shards}
    )


def read_group(folder: Path, name: str, verify: Verify = "full") -> Group | None:
    """A finished group; None if it has to be written (again).

    Args:
        folder: where it was written.
        name: of its shard.
        verify: see `nrdfer.store.receipts.vouched`.
    """
    if vouched(folder, name, verify) is None:
        return None
    path = _sidecar(folder, name)
    try:
        document = json.loads(path.read_bytes())
        return Group(
            ShardIndex.from_dict(document["index"], str(path)),
            tuple(SetAside(clip_id, reason) for clip_id, reason in document["set_aside"]),
        )
    except (OSError, StoreError, ValueError, KeyError, TypeError, RecursionError) as error:
        _log.warning("%s: %s; its clips are written again", path, error)
        return None


def publish_groups(folder: Path, names: Sequence[str], out: Path) -> tuple[ShardIndex, list[SetAside]]:
    """Bring finished groups together in `out`, with one index; returns it, and the clips set aside, in order.

    Shards are linked, not copied: a crash in between loses nothing, and costs no room.

    Raises:
        StoreError: a group is not finished.
        ValueError: two clips have the same id.
    """
    shards: list[ShardEntry] = []
    entries: dict[str, ClipEntry] = {}
    excluded: list[SetAside] = []
    for name in names:
        group = read_group(folder, name, "sizes")  # whoever found it finished has looked at its content
        if group is None:
            raise StoreError(f"{folder / name} is not finished, or was changed while its step ran; run the step again")
        excluded += group.set_aside
        for clip_id, entry in group.index.clips.items():
            if clip_id in entries:
                raise ValueError(f"two clips have the id {clip_id}")
            entries[clip_id] = ClipEntry(len(shards), entry.record, entry.frames, entry.emotion)
        for shard in group.index.shards:
            _move(folder / shard.name, out / shard.name)
            shards.append(shard)
    index = ShardIndex(tuple(shards), entries)
    index.save(out)
    return index, excluded


def _move(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links: if this step is killed now, this shard is written again
        source.replace(target)


def _sidecar(folder: Path, name: str) -> Path:
    return folder / f"{name}.group.json"
