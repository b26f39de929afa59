"""The index beside a set of shards: each shard's sha256, and the offset and size of every member.

It makes reading exact: any frame of any clip is one ``pread``, an epoch holds each clip once, and a truncated or
changed shard is recognised, which WebDataset alone does not do. Reading and checking shards is not done here.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.core.records import check_clip_id
from nrdfer.shards.spans import Span, Spans

INDEX = "index.json"
SCHEMA = 1
_LONGEST_NAME = 200
_BEYOND = "a frame or record is not within its shard"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]*\.tar")


@dataclass(frozen=True)
class ShardEntry:
    """One tar file."""

    name: str
    sha256: str
    bytes: int
    clips: int


@dataclass(frozen=True)
class ClipEntry:
    """Location of one clip, and the two facts needed to select clips. Any sequence of spans becomes `Spans`."""

    shard: int
    record: Span
    frames: Sequence[Span]
    emotion: str | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.frames, Spans):
            object.__setattr__(self, "frames", Spans(self.frames))

    @property
    def n_frames(self) -> int:
        """Number of frames."""
        return len(self.frames)


@dataclass(frozen=True)
class ShardIndex:
    """A set of shards; `clips` is in writing order."""

    shards: tuple[ShardEntry, ...]
    clips: dict[str, ClipEntry]

    def clips_of(self, shard: int) -> list[str]:
        """Ids of the clips in one shard, in writing order."""
        return self._by_shard.get(shard, [])

    @functools.cached_property
    def _by_shard(self) -> dict[int, list[str]]:
        """Ids by shard, computed once: a large corpus has hundreds of shards."""
        found: dict[int, list[str]] = {}
        for clip_id, entry in self.clips.items():
            found.setdefault(entry.shard, []).append(clip_id)
        return found

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON; the inverse of `from_dict`."""
        return {
            "schema": SCHEMA,
            "shards": [asdict(shard) for shard in self.shards],
            "clips": {clip_id: _plain(clip) for clip_id, clip in self.clips.items()},
        }

    def to_json(self) -> str:
        """The content of ``index.json``: `to_dict` as text; the same shards give the same text."""
        return "".join(self._json())

    def _json(self) -> Iterator[str]:
        """The text clip by clip: as one object of plain types it would take many times its size."""
        yield f'{{"schema":{SCHEMA},"shards":{_text([asdict(shard) for shard in self.shards])},"clips":{{'
        for number, (clip_id, clip) in enumerate(self.clips.items()):
            yield f"{',' if number else ''}{_text(clip_id)}:{_text(_plain(clip))}"
        yield "}}"

    def save(self, folder: Path) -> None:
        """Write ``index.json`` into `folder`, whole or not at all."""
        write_whole(folder / INDEX, (piece.encode() for piece in self._json()))

    @classmethod
    def load(cls, folder: Path) -> ShardIndex:
        """Read the index of a folder of shards.

        Raises:
            StoreError: there is none, it is damaged, or it has another schema.
        """
        path = folder / INDEX
        if not path.is_file():
            raise StoreError(f"{folder} holds no {INDEX}; it is not a finished set of shards: write the shards again")
        return cls.parse(path.read_bytes(), str(path))

    @classmethod
    def parse(cls, text: bytes, where: str) -> ShardIndex:
        """Read the content of an index that came from `where`.

        Raises:
            StoreError: it is damaged or has another schema.
        """
        try:
            return cls.from_dict(json.loads(text, object_hook=_compact), where)
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreError(_not_whole(where, error)) from error

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str) -> ShardIndex:
        """Rebuild an index from parsed JSON that came from `where`.

        Raises:
            StoreError: it is damaged or has another schema.
        """
        try:
            schema = data["schema"]
            if schema == SCHEMA:
                return cls._from(data)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise StoreError(_not_whole(where, error)) from error
        raise StoreError(f"{where} has schema {brief(schema)}, this version reads {SCHEMA}; write the shards again")

    @classmethod
    def _from(cls, data: dict[str, Any]) -> ShardIndex:
        shards = tuple(_shard_entry(shard) for shard in data["shards"])
        if len({shard.name for shard in shards}) != len(shards):
            raise ValueError("two shards have one name")
        clips = {check_clip_id(clip_id): _clip_entry(entry, shards) for clip_id, entry in data["clips"].items()}
        return cls(shards, clips)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _plain(clip: ClipEntry) -> dict[str, Any]:
    return {
        "shard": clip.shard,
        "emotion": clip.emotion,
        "n_frames": clip.n_frames,
        "record": clip.record,
        "frames": list(clip.frames),
    }


def _compact(entry: dict[str, Any]) -> dict[str, Any]:
    """A clip's entry with its spans made small while the rest of the text is read."""
    frames = entry.get("frames")
    if isinstance(frames, list):
        entry["frames"] = Spans(frames)
    return entry


def _not_whole(where: str, error: Exception) -> str:
    return f"{where} is not a whole index of shards ({brief(str(error) or error)}); write the shards again"


def _shard_entry(entry: dict[str, Any]) -> ShardEntry:
    shard = ShardEntry(**entry)
    if not _NAME.fullmatch(shard.name) or len(shard.name) > _LONGEST_NAME:
        raise ValueError(f"shard name {brief(shard.name)}")  # a name is a file beside the index, never a path
    if not isinstance(shard.sha256, str) or not _is_count(shard.bytes) or not _is_count(shard.clips):
        raise ValueError(f"the entry of {shard.name} has no valid sha256 and numbers")
    return shard


def _clip_entry(entry: dict[str, Any], shards: Sequence[ShardEntry]) -> ClipEntry:
    number, emotion = entry["shard"], entry["emotion"]
    if not _is_count(number) or number >= len(shards) or not (emotion is None or isinstance(emotion, str)):
        raise ValueError("a clip's shard or emotion is none")
    end = shards[number].bytes
    frames = entry["frames"] if isinstance(entry["frames"], Spans) else Spans(entry["frames"])
    if len(frames) != entry["n_frames"]:
        raise ValueError("frames do not add up")
    if frames.end > end:
        raise ValueError(_BEYOND)
    return ClipEntry(number, _span(entry["record"], end), frames, emotion)


def _span(span: Any, end: int) -> Span:
    offset, size = span
    if not (_is_count(offset) and _is_count(size) and offset + size <= end):
        raise ValueError(_BEYOND)
    return offset, size


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
