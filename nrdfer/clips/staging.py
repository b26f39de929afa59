"""A batch in the making: clips are made one by one, by any thread, in any order; then the batch is finished once.

`HostBatch` augments with OpenCV, clip by clip. `DeviceBatch` collects decoded frames in memory that a GPU can fetch by
itself, and augments there; `CachedBatch` takes frames that lie on the device already. Who makes clips, and how far
ahead, belongs to ``loader``. Shapes: B clips, T frames, H x W source pixels, S x S output pixels.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nrdfer.clips.augment import Change
from nrdfer.clips.augment_device import apply_batch, pack
from nrdfer.clips.cache import FrameCache
from nrdfer.clips.dataset import ClipDataset, Plan, ReadFrames, size_of


class Staged(Protocol):
    """What the loader knows of a batch in the making."""

    plans: list[Plan]
    parts: int  # how many times `make` is to be called, with 0, 1, ...

    def make(self, part: int) -> None:
        """Make one clip."""
        ...

    def finish(self) -> Tensor:
        """The batch (B, T, 3, S, S) float32, values 0 to 1, when every clip is made."""
        ...


class Buffers:
    """Memory of batches, used again when nobody holds a batch that lies in it.

    The kernel clears fresh memory page by page, which takes as long as warping.
    """

    def __init__(self, most: int) -> None:
        self._free: deque[npt.NDArray[np.float32]] = deque(maxlen=most)

    def take(self, data: ClipDataset, clips: int) -> npt.NDArray[np.float32]:
        """Memory for a batch of `clips` (see `ClipDataset.empty`); it comes back when the array dies."""
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

    def __init__(
        self, data: ClipDataset, plans: list[Plan], read: ReadFrames | None, x_BTSSC: npt.NDArray[np.float32]
    ) -> None:
        self.data, self.plans, self.read, self.x_BTSSC = data, plans, read, x_BTSSC
        self.parts = len(plans)

    def make(self, part: int) -> None:
        """See `Staged`."""
        self.data.make(self.plans[part], self.x_BTSSC[part], self.read)

    def finish(self) -> Tensor:
        """See `Staged`."""
        return torch.from_numpy(self.x_BTSSC).permute(0, 1, 4, 2, 3)


class DeviceBatch:
    """Frames are read on the CPU and augmented on `device`."""

    def __init__(self, data: ClipDataset, plans: list[Plan], read: ReadFrames | None, device: torch.device) -> None:
        self.data, self.plans, self.read, self.device = data, plans, read, device
        self.parts = len(plans)
        self._frames: dict[int, npt.NDArray[np.uint8]] = {}
        self._together: Tensor | None = None  # all frames, if they have the size of those read first
        self._allocating = threading.Lock()

    def make(self, part: int) -> None:
        """See `Staged`."""
        frames_THWC = self.data.read(self.plans[part], self.read)
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
        frames = [self._frames[part] for part in range(self.parts)]
        changes = [self.data.change(plan, size_of(shown)) for plan, shown in zip(self.plans, frames, strict=True)]
        sizes = sorted({shown.shape for shown in frames})
        if len(sizes) == 1 and self._together is not None:
            return _augment(self._together.to(self.device, non_blocking=True), changes, self.data.image_size)
        x_BTSSC = torch.empty(self.data.empty(len(frames)).shape, device=self.device)
        x_BTCSS = x_BTSSC.permute(0, 1, 4, 2, 3)
        for size in sizes:
            same = [part for part, shown in enumerate(frames) if shown.shape == size]
            stacked_BTHWC = torch.from_numpy(np.stack([frames[part] for part in same])).to(self.device)
            x_BTCSS[same] = _augment(stacked_BTHWC, [changes[part] for part in same], self.data.image_size)
        return x_BTCSS


class CachedBatch:
    """Frames lie on the device already; nothing is left for threads to do."""

    parts = 0

    def __init__(self, data: ClipDataset, plans: list[Plan], cache: FrameCache) -> None:
        self.data, self.plans, self.cache = data, plans, cache

    def make(self, part: int) -> None:
        """See `Staged`; there is no part."""
        raise IndexError(f"nothing is to be made, but part {part} was asked for")

    def finish(self) -> Tensor:
        """See `Staged`."""
        changes = [self.data.change(plan, self.cache.size) for plan in self.plans]
        return _augment(self.cache.gather(self.plans, self.data.sampling), changes, self.data.image_size)


def _augment(frames_BTHWC: Tensor, changes: list[Change], out: int) -> Tensor:
    """Send the changes after the frames, and apply them there."""
    device = frames_BTHWC.device
    size = (frames_BTHWC.shape[2], frames_BTHWC.shape[3])
    matrices_B23, colours_B2 = (pinned(part, device).to(device, non_blocking=True) for part in pack(changes, size))
    return apply_batch(frames_BTHWC, matrices_B23, colours_B2, out)


def pinned(host: Tensor, device: torch.device) -> Tensor:
    """CPU memory that `device` can fetch without waiting for the CPU."""
    return host.pin_memory() if device.type == "cuda" else host
