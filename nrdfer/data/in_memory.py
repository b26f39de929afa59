"""Clips that are in memory already: a `ClipSource` for a notebook, a camera, or a small experiment.

Corpora are read from shards (``nrdfer.shards``), which never load more than a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from nrdfer.core.records import ClipRecord


class MemorySource:
    """Holds clips as arrays.

    Args:
        clips: records and their frames (T, H, W, 3) uint8 RGB.

    Raises:
        ValueError: two clips of one id, frames of another shape or type, or another number than the record says.
    """

    def __init__(self, clips: Iterable[tuple[ClipRecord, npt.NDArray[np.uint8]]]) -> None:
        self._clips: dict[str, tuple[ClipRecord, npt.NDArray[np.uint8]]] = {}
        for record, frames in clips:
            if record.clip_id in self._clips:
                raise ValueError(f"clip {record.clip_id} is given twice")
            if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3:
                raise ValueError(
                    f"clip {record.clip_id}: frames must be uint8 (T, H, W, 3), not {frames.dtype} {frames.shape}"
                )
            if len(frames) != record.n_frames:
                raise ValueError(f"clip {record.clip_id}: {len(frames)} frames, but its record says {record.n_frames}")
            self._clips[record.clip_id] = record, frames

    @property
    def clip_ids(self) -> list[str]:
        """All clips, in the order in which they were given."""
        return list(self._clips)

    def record(self, clip_id: str) -> ClipRecord:
        """Record of a clip."""
        return self._clips[clip_id][0]

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) RGB at `indices`, or all."""
        frames = self._clips[clip_id][1]
        return frames if indices is None else frames[list(indices)]
