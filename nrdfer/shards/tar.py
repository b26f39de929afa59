"""One shard being written: a plain tar of a clip's members, without times, users or anything else of this machine.

The bytes are those of WebDataset's own writer (a test holds them against each other); that one is not used because
importing it imports torch, in every worker process. Which clips go into a shard is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from nrdfer.core.atomic_files import sync
from nrdfer.shards.index import ShardEntry, Span
from nrdfer.store import file_sha256

Member = tuple[str, bytes]  # extension and content
LONGEST_NAME = 100  # bytes, in a tar's header
_BLOCK = tarfile.BLOCKSIZE  # every member is one block of header and whole blocks of content
_TEMPORARY = ".*.tar.*.tmp"


class TarShard:
    """One tar being written under a temporary name; ends in `finish` or in `discard`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clips = 0
        self.bytes = 0  # of the clips; a tar's own end comes on top
        self._names: list[tuple[str, Span]] = []
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._stream: BinaryIO = self._temporary.open("wb")

    def add(self, clip_id: str, members: list[Member]) -> list[Span]:
        """Append a clip; returns where each member's content lies."""
        spans = []
        for extension, data in members:
            name = f"{clip_id}.{extension}"
            self._stream.write(_header(name, len(data)))
            self._stream.write(data)
            self._stream.write(bytes(-len(data) % _BLOCK))
            spans.append((self.bytes + _BLOCK, len(data)))
            self._names.append((name, spans[-1]))
            self.bytes += padded(data)
        self.clips += 1
        return spans

    def finish(self) -> ShardEntry:
        """Close, flush, read the headers back, and let the shard appear under its name."""
        end = 2 * _BLOCK
        self._stream.write(bytes(end + -(self.bytes + end) % tarfile.RECORDSIZE))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._check()
        entry = ShardEntry(self.path.name, file_sha256(self._temporary), self._temporary.stat().st_size, self.clips)
        self._temporary.replace(self.path)
        sync(self.path.parent)  # before anything names it
        return entry

    def discard(self) -> None:
        """Leave nothing of an unfinished shard."""
        self._temporary.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # closing writes what is buffered, and the disk may be full
            self._stream.close()

    def _check(self) -> None:
        with tarfile.open(self._temporary) as tar:
            for name, span in self._names:
                there = tar.next()
                if there is None or (there.name, (there.offset_data, there.size)) != (name, span):
                    raise RuntimeError(f"{self.path.name}: the tar's members are not where they were put")
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep every header
            if tar.next() is not None:
                raise RuntimeError(f"{self.path.name}: the tar holds more members than were put there")


def padded(data: bytes) -> int:
    """Bytes that a member takes in a tar: its header, and its content in whole blocks."""
    return _BLOCK + -(-len(data) // _BLOCK) * _BLOCK


def remove_unfinished(folder: Path) -> None:
    """Remove the temporary files of writers that were killed; nobody may be writing into `folder`."""
    for path in folder.glob(_TEMPORARY):
        path.unlink(missing_ok=True)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode, info.uname, info.gname = size, 0, 0o644, "nrdfer", "nrdfer"
    return info.tobuf(tarfile.USTAR_FORMAT)
