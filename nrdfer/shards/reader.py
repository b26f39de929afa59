"""Map-style reading of shards through their index: any frames of any clip, in any order, from any thread."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ClipEntry, ShardIndex
from nrdfer.shards.spans import Span
from nrdfer.video.jpeg import decode_jpeg


class ShardReader:
    """Random access to the clips of one folder of shards.

    Threads may share one reader (``pread`` has no position). A copy that is sent to another process opens the shards
    again, at its first read.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = ShardIndex.load(root)
        self._handles: dict[int, int] = {}
        self._ends: dict[int, int] = {}  # bytes of each shard that was opened
        self._opening = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _handles={}, _ends={}, _opening=threading.Lock())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the shards; reading opens them again."""
        handles = self.__dict__.get("_handles", {})
        while handles:
            os.close(handles.popitem()[1])

    @property
    def clip_ids(self) -> list[str]:
        """All clips, in the order in which they were written."""
        return list(self.index.clips)

    def record(self, clip_id: str) -> ClipRecord:
        """Record of a clip.

        Raises:
            KeyError: no such clip.
            StoreError: the shard is missing or damaged.
        """
        entry = self._entry(clip_id)
        try:
            record = ClipRecord.from_dict(json.loads(self._read(entry.shard, entry.record)))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise StoreError(self._damaged(clip_id, entry, error)) from error
        if record.clip_id != clip_id:
            raise StoreError(self._damaged(clip_id, entry, "its record is of another clip than the index says"))
        return record

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) uint8 RGB of a clip: all of them, or those at `indices` in that order.

        A frame that is requested more than once is decoded once.

        Raises:
            KeyError: no such clip.
            IndexError: the clip has no frame of that index; negative ones are refused too.
            ValueError: `indices` is empty.
            StoreError: the shard is missing or damaged.
        """
        entry = self._entry(clip_id)
        wanted = range(entry.n_frames) if indices is None else indices
        if not len(wanted):
            raise ValueError(f"clip {clip_id}: no frame was requested")
        first: dict[int, int] = {}  # where in the result a frame was decoded to
        frames_THWC = np.empty((0, 0, 0, 3), np.uint8)
        for t, i in enumerate(wanted):
            if not 0 <= i < entry.n_frames:
                raise IndexError(f"clip {clip_id} has frames 0 to {entry.n_frames - 1}, not {i}")
            if i in first:
                frames_THWC[t] = frames_THWC[first[i]]
                continue
            try:
                frame_HWC = decode_jpeg(self._read(entry.shard, entry.frames[i]))
            except ValueError as error:
                raise StoreError(self._damaged(clip_id, entry, error)) from error
            if not first:
                frames_THWC = np.empty((len(wanted), *frame_HWC.shape), np.uint8)
            elif frame_HWC.shape != frames_THWC.shape[1:]:
                raise StoreError(
                    self._damaged(clip_id, entry, f"its frames have sizes {frames_THWC.shape[1:]}, {frame_HWC.shape}")
                )
            frames_THWC[t] = frame_HWC
            first[i] = t
        return frames_THWC

    def _entry(self, clip_id: str) -> ClipEntry:
        try:
            return self.index.clips[clip_id]
        except KeyError:
            raise KeyError(f"no clip {clip_id!r} in the shards of {self.root}") from None

    def _damaged(self, clip_id: str, entry: ClipEntry, error: object) -> str:
        path = self.root / self.index.shards[entry.shard].name
        reason = brief(str(error)) if isinstance(error, Exception) else error
        return f"clip {clip_id} in {path}: {reason}; the shard is damaged, write the shards again"

    def _open(self, shard: int) -> int:
        with self._opening:
            if shard not in self._handles:
                path = self.root / self.index.shards[shard].name
                try:
                    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError as error:
                    raise StoreError(f"{path} is missing; write the shards again") from error
                self._ends[shard] = os.fstat(handle).st_size
                self._handles[shard] = handle  # last: other threads look for it without the lock
            return self._handles[shard]

    def _read(self, shard: int, span: Span) -> bytes:
        handle = self._handles.get(shard)
        if handle is None:
            handle = self._open(shard)
        offset, size = span
        if offset + size > self._ends[shard]:  # before so many bytes are requested
            raise self._cut_off(shard, offset + size)
        data = os.pread(handle, size, offset)
        while len(data) < size:  # a network file system may give less at a time
            more = os.pread(handle, size - len(data), offset + len(data))
            if not more:
                raise self._cut_off(shard, offset + size)
            data += more
        return data

    def _cut_off(self, shard: int, end: int) -> StoreError:
        path = self.root / self.index.shards[shard].name
        return StoreError(f"{path} ends before byte {end}: it was cut off; write the shards again")
