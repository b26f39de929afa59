"""The index beside a set of shards: each shard's sha256, and the offset and size of every member.

It makes reading exact: any frame of any clip is one ``pread``, an epoch holds each clip once, and a truncated or
changed shard is recognised, which WebDataset alone does not do.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.errors import StoreError

INDEX = "index.json"
SCHEMA = 1
Span = tuple[int, int]  # offset and size in bytes of a member's content


@dataclass(frozen=True)
class ShardEntry:
    """One tar file."""

    name: str
    sha256: str
    bytes: int
    clips: int


@dataclass(frozen=True)
class ClipEntry:
    """Where one clip lies."""

    shard: int
    record: Span
    frames: tuple[Span, ...]


@dataclass(frozen=True)
class ShardIndex:
    """A set of shards; `clips` is in writing order."""

    shards: tuple[ShardEntry, ...]
    clips: dict[str, ClipEntry]

    def save(self, folder: Path) -> None:
        """Write ``index.json`` into `folder`, whole or not at all."""
        data: dict[str, Any] = {
            "schema": SCHEMA,
            "shards": [asdict(shard) for shard in self.shards],
            "clips": {
                clip_id: {"shard": clip.shard, "record": clip.record, "frames": clip.frames}
                for clip_id, clip in self.clips.items()
            },
        }
        temporary = folder / f".{INDEX}.tmp"
        temporary.write_text(json.dumps(data))
        temporary.replace(folder / INDEX)

    @classmethod
    def load(cls, folder: Path) -> ShardIndex:
        """Read the index of a folder of shards.

        Raises:
            StoreError: there is none, or it has another schema.
        """
        path = folder / INDEX
        if not path.is_file():
            raise StoreError(f"{folder} holds no {INDEX}; it is not a finished set of shards")
        data = json.loads(path.read_text())
        if data.get("schema") != SCHEMA:
            raise StoreError(
                f"{path} has schema {data.get('schema')}, this version reads {SCHEMA}; write the shards again"
            )
        clips = {
            clip_id: ClipEntry(
                entry["shard"],
                (entry["record"][0], entry["record"][1]),
                tuple((offset, size) for offset, size in entry["frames"]),
            )
            for clip_id, entry in data["clips"].items()
        }
        return cls(tuple(ShardEntry(**shard) for shard in data["shards"]), clips)
