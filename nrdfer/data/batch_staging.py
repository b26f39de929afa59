"""A batch under construction: clips are made one by one, by any thread, in any order; then the batch is finished.

`HostBatch` augments with OpenCV, clip by clip. `DeviceBatch` collects decoded frames in pinned memory, and augments on
the GPU; `CachedBatch` takes frames that are on the device already. Who makes clips, and how far ahead, belongs to
``loader``. Shapes: B clips, T frames, H x W source pixels, S x S output pixels.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nrdfer.data.augment import Change
from nrdfer.data.augment_gpu import apply_batch, pack
from nrdfer.data.dataset import ClipDataset, Plan, ReadFrames, size_of
from nrdfer.data.frame_cache import FrameCache


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips of a batch; the caller plans them, so that the consumer does not wait for it."""

    data: ClipDataset
    positions: npt.NDArray[np.int64]
    epoch: int

    def __len__(self) -> int:
        return len(self.positions)

    def plan(self, part: int) -> Plan:
        """The plan of clip number `part` of the batch."""
        return self.data.plan(int(self.positions[part]), self.epoch)


class Staged(Protocol):
    """Interface of a batch under construction, as the loader uses it."""

    clips: Clips
    parts: int  # how many times `make` is to be called, with 0, 1, ...

    def make(self, part: int) -> None:
        """Make one clip."""
        ...

    def finish(self) -> Tensor:
        """The batch (B, T, 3, S, S) float32, values 0 to 1, when every clip is made."""
        ...


class Buffers:
    """Memory of batches, reused once nothing refers to the batch in it.

    The kernel clears fresh memory page by page, which takes as long as warping.
    """

    def __init__(self, most: int) -> None:
        self._free: deque[npt.NDArray[np.float32]] = deque(maxlen=most)

    def take(self, data: ClipDataset, clips: int) -> npt.NDArray[np.float32]:
        """Memory for a batch of `clips` (see `ClipDataset.empty`); reusable once the array is garbage collected."""
        memory = data.empty(0)
        while self._free and memory.shape[0] != clips:
            memory = self._free.pop()
        if memory.shape[0] != clips:
            memory = data.empty(clips)
        # Tensors that share the memory hold this view; the memory itself is held here.
        lent = memory.view()
        weakref.finalize(lent, self._free.append, memory).atexit = False
        return lent


class HostBatch:
    """Frames are read and augmented on the CPU."""

    def __init__(self, clips: Clips, read: ReadFrames | None, x_BTSSC: npt.NDArray[np.float32]) -> None:
        self.clips, self.read, self.x_BTSSC = clips, read, x_BTSSC
        self.parts = len(clips)

    def make(self, part: int) -> None:
        """See `Staged`."""
        self.clips.data.make(self.clips.plan(part), self.x_BTSSC[part], self.read)

    def finish(self) -> Tensor:
        """See `Staged`."""
        return torch.from_numpy(self.x_BTSSC).permute(0, 1, 4, 2, 3)


class DeviceBatch:
    """Frames are read on the CPU and augmented on `device`."""

    def __init__(self, clips: Clips, read: ReadFrames | None, device: torch.device) -> None:
        self.clips, self.read, self.device = clips, read, device
        self.parts = len(clips)
        self._frames: dict[int, npt.NDArray[np.uint8]] = {}
        self._changes: dict[int, Change] = {}
        self._together: Tensor | None = None  # all frames, if they have the size of those read first
        self._allocating = threading.Lock()

    def make(self, part: int) -> None:
        """See `Staged`."""
        plan = self.clips.plan(part)
        frames_THWC = self.clips.data.read(plan, self.read)
        self._changes[part] = self.clips.data.change(plan, size_of(frames_THWC))
        with self._allocating:
            if self._together is None:
                shape = (self.parts, *frames_THWC.shape)
                self._together = torch.empty(shape, dtype=torch.uint8, pin_memory=self.device.type == "cuda")
        if frames_THWC.shape == self._together.shape[1:]:
            row_THWC: npt.NDArray[np.uint8] = self._together[part].numpy()
            np.copyto(row_THWC, frames_THWC)
            frames_THWC = row_THWC
        self._frames[part] = frames_THWC

    def finish(self) -> Tensor:
        """See `Staged`; frames of different sizes are augmented size by size."""
        out, sizes = self.clips.data.image_size, sorted({frame.shape for frame in self._frames.values()})
        changes = [self._changes[part] for part in range(self.parts)]
        if len(sizes) == 1 and self._together is not None:
            return _augment(self._together.to(self.device, non_blocking=True), changes, out)
        x_BTSSC = torch.empty((self.parts, self.clips.data.sampling.frames, out, out, 3), device=self.device)
        x_BTCSS = x_BTSSC.permute(0, 1, 4, 2, 3)
        for size in sizes:
            same = [part for part in range(self.parts) if self._frames[part].shape == size]
            stacked_BTHWC = torch.from_numpy(np.stack([self._frames[part] for part in same])).to(self.device)
            x_BTCSS[same] = _augment(stacked_BTHWC, [changes[part] for part in same], out)
        return x_BTCSS


class CachedBatch:
    """Frames are on the device already; no work is left for threads."""

    parts = 0

    def __init__(self, clips: Clips, cache: FrameCache) -> None:
        self.clips, self.cache = clips, cache

    def make(self, part: int) -> None:
        """See `Staged`; there is no part."""
        raise IndexError(f"nothing is to be made, but part {part} was requested")

    def finish(self) -> Tensor:
        """See `Staged`."""
        data = self.clips.data
        plans = [self.clips.plan(part) for part in range(len(self.clips))]
        changes = [data.change(plan, self.cache.size) for plan in plans]
        return _augment(self.cache.gather(plans, data.sampling), changes, data.image_size)


def _augment(frames_BTHWC: Tensor, changes: list[Change], out: int) -> Tensor:
    """Send the changes after the frames, and apply them there."""
    device = frames_BTHWC.device
    size = (frames_BTHWC.shape[2], frames_BTHWC.shape[3])
    matrices_B23, colours_B2 = (pinned(part, device).to(device, non_blocking=True) for part in pack(changes, size))
    return apply_batch(frames_BTHWC, matrices_B23, colours_B2, out)


def pinned(host: Tensor, device: torch.device) -> Tensor:
    """CPU memory that `device` can read asynchronously."""
    return host.pin_memory() if device.type == "cuda" else host
