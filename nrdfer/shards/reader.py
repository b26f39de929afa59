"""Map-style reading of shards through their index."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.errors import StoreError
from nrdfer.records import ClipRecord
from nrdfer.shards.index import ShardIndex, Span


class ShardReader:
    """Random access to the clips of one folder of shards; can be sent to other processes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.index = ShardIndex.load(root)
        self._handles: dict[int, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "index": self.index, "_handles": {}}

    def __del__(self) -> None:
        for handle in getattr(self, "_handles", {}).values():
            os.close(handle)

    @property
    def clip_ids(self) -> list[str]:
        """All clips, in the order in which they were written."""
        return list(self.index.clips)

    def record(self, clip_id: str) -> ClipRecord:
        """What is known of a clip.

        Raises:
            KeyError: no such clip.
            StoreError: the shard is shorter than its index says.
        """
        entry = self.index.clips[clip_id]
        return ClipRecord.from_dict(json.loads(self._read(entry.shard, entry.record)))

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) uint8 RGB of a clip: all of them, or those at `indices` in that order."""
        entry = self.index.clips[clip_id]
        spans = entry.frames if indices is None else [entry.frames[i] for i in indices]
        decoded: dict[Span, npt.NDArray[np.uint8]] = {}
        for span in spans:
            if span not in decoded:
                data = np.frombuffer(self._read(entry.shard, span), np.uint8)
                picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
                if picture is None:
                    name = self.index.shards[entry.shard].name
                    raise StoreError(
                        f"a frame of clip {clip_id} in {self.root / name} is not a picture; verify the shards"
                    )
                decoded[span] = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return np.stack([decoded[span] for span in spans])

    def _read(self, shard: int, span: Span) -> bytes:
        handle = self._handles.get(shard)
        path = self.root / self.index.shards[shard].name
        if handle is None:
            handle = self._handles[shard] = os.open(path, os.O_RDONLY)
        offset, size = span
        data = os.pread(handle, size, offset)
        if len(data) != size:
            raise StoreError(
                f"{path} ends before byte {offset + size}: it was cut off; write the shards again"
            )
        return data
