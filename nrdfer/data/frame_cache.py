"""Decoded frames kept in memory, so that only the first epoch has to read and decode them.

What is kept is every frame of some clips, in one array in RAM or one tensor on a device; frames are decoded once, when
the cache is opened, or are in a file that processes share (`nrdfer.shards.decoded_frames`). Whether a training wants
one is its engine's setting; what is read from where belongs to ``loader``. Shapes: N frames of all clips, H x W pixels,
B clips, T frames.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
import psutil
import torch
from torch import Tensor

from nrdfer.core.errors import TrainingError
from nrdfer.core.progress import Progress
from nrdfer.data.dataset import ClipSource, Plan
from nrdfer.data.settings import Sampling
from nrdfer.data.time_interpolation import linear_weights, tim_weights

KINDS = ("auto", "none", "ram", "gpu")
_SHARE = 0.5  # of the free memory that "auto" takes at most; the rest is the network's and other people's
_AHEAD = 4  # clips a worker may decode before they are stored
Frames = npt.NDArray[np.uint8]
Layout = tuple[dict[str, range], int, tuple[int, int]]  # see `measure`


@dataclass(frozen=True, eq=False)
class Kept:
    """Frames that were decoded before, by any process."""

    frames_NHWC: Frames
    handle: IO[bytes]  # of their file, open as long as they are read


class FrameCache:
    """All frames of some clips: ``ram`` and ``shared`` return arrays (`read`), ``gpu`` tensors (`gather`).

    Args:
        source: where clips are read.
        clip_ids: which clips, each once.
        kind: ``ram`` or ``gpu``; ``shared`` with `kept`.
        device: of a ``gpu`` cache; a CPU will do.
        workers: threads that decode; 0: the caller's.
        progress: called with (clips done, clips).
        layout: of the frames, if it is known already; of `kept`, which may hold more clips.
        kept: the frames, if they are decoded already.

    Attributes:
        kind: as given.
        bytes: size of all frames.
        frames: how many frames.
        size: height and width of every frame.

    Raises:
        TrainingError: frames of different sizes, or no clip.
    """

    def __init__(
        self,
        source: ClipSource,
        clip_ids: Sequence[str],
        kind: str,
        device: torch.device,
        *,
        workers: int = 0,
        progress: Progress | None = None,
        layout: Layout | None = None,
        kept: Kept | None = None,
    ) -> None:
        self.kind, self.device = kind, device
        self._places, self.frames, self.size = layout or measure(source, clip_ids)
        shape = (self.frames, *self.size, 3)
        self.bytes = int(np.prod(shape))
        if kept is not None:
            self._file = kept.handle  # closing it would free the place for removal
            self._kept_NHWC = torch.from_numpy(kept.frames_NHWC)
            return
        on_device = kind == "gpu"
        self._kept_NHWC = torch.from_numpy(np.empty(shape, np.uint8)) if not on_device else _empty(shape, device)
        for done, (clip_id, frames_THWC) in enumerate(decoded_clips(source, clip_ids, workers), start=1):
            refuse_other_size(clip_ids[0], self.size, clip_id, frames_THWC)
            rows = self._rows(clip_id)
            self._kept_NHWC[rows.start : rows.stop].copy_(torch.from_numpy(frames_THWC))
            if progress is not None:
                progress(done, len(clip_ids))
        if device.type == "cuda" and on_device:
            torch.cuda.synchronize(device)  # other streams will read it

    def __contains__(self, clip_id: object) -> bool:
        return clip_id in self._places

    def _rows(self, clip_id: str) -> range:
        return self._places[clip_id]

    def read(self, clip_id: str, indices: Sequence[int] | None = None) -> Frames:
        """Frames (T, H, W, 3) at `indices`, or all; as `ClipSource.frames`.

        Raises:
            KeyError: no such clip.
            IndexError: the clip has no frame of that index; negative ones are refused too.
        """
        rows = self._rows(clip_id)
        kept_NHWC: Frames = self._kept_NHWC.numpy()
        if indices is None:
            return kept_NHWC[rows.start : rows.stop]
        # Copied at once: memory far apart is copied faster than it is warped.
        return kept_NHWC[_places(clip_id, rows, indices)]

    def gather(self, plans: Sequence[Plan], sampling: Sampling) -> Tensor:
        """The frames of a batch on the device, (B, T, H, W, 3) uint8: those of `ClipDataset.read`.

        Interpolating, a GPU may sum in another order, and round a value half-way between two levels differently.
        """
        if sampling.strategy == "ds":
            places = [_places(plan.clip_id, self._rows(plan.clip_id), plan.indices or ()) for plan in plans]
            at_BT = torch.tensor(places, dtype=torch.int64).reshape(len(plans), sampling.frames)
            if self.device.type == "cuda":
                at_BT = at_BT.pin_memory().to(self.device, non_blocking=True)
            return self._kept_NHWC[at_BT]
        gathered_BTHWC = _empty((len(plans), sampling.frames, *self.size, 3), self.device)
        weigh = tim_weights if sampling.strategy == "ti" else linear_weights
        for row_THWC, plan in zip(gathered_BTHWC, plans, strict=True):
            rows = self._rows(plan.clip_id)
            weights_Tn = torch.from_numpy(weigh(len(rows), sampling.frames)).to(self.device)
            all_nM = self._kept_NHWC[rows.start : rows.stop].flatten(1).double()
            row_THWC.copy_((weights_Tn @ all_nM).round_().clamp_(0, 255).view_as(row_THWC))
        return gathered_BTHWC


def open_cache(
    source: ClipSource,
    clip_ids: Sequence[str],
    kind: str,
    device: torch.device,
    *,
    workers: int,
    progress: Progress | None = None,
) -> FrameCache | None:
    """Decode all frames of some clips into memory, or decide not to.

    Args:
        source: where clips are read.
        clip_ids: which clips, each once.
        kind: ``none``; ``ram`` or ``gpu``; ``auto``: nothing on a CPU; on a GPU its memory if the frames take no more
            than half of what is free there, or else RAM under the same condition, or else nothing.
        device: the training's.
        workers: threads that decode; 0: the caller's.
        progress: called with (clips done, clips).

    Returns:
        The cache, which says its `kind`, `bytes` and `frames`; None for none.

    Raises:
        ValueError: an unknown kind.
        TrainingError: a kind that was requested by name does not fit, or there is no GPU for it, or frames have
            different sizes.
    """
    if kind not in KINDS:
        raise ValueError(f"cache must be one of {', '.join(KINDS)}, not {kind!r}")
    if kind == "none" or (kind == "auto" and device.type == "cpu"):
        return None
    if kind == "gpu" and device.type == "cpu":
        raise TrainingError("cache: gpu needs a GPU, but this training computes on a CPU; set cache to ram or none")
    layout = measure(source, clip_ids)
    _, count, size = layout
    chosen = choose(kind, count * size[0] * size[1] * 3, free_bytes(device), free_bytes(torch.device("cpu")))
    if chosen == "none":
        return None
    try:
        return FrameCache(source, clip_ids, chosen, device, workers=workers, progress=progress, layout=layout)
    except FrameSizesError:
        if kind != "auto":
            raise
        return None


class FrameSizesError(TrainingError):
    """Frames of different sizes do not fit into one array."""


def choose(kind: str, need: int, free_gpu: int, free_ram: int) -> str:
    """Place for `need` bytes of frames: ``gpu``, ``ram`` or ``none``.

    Raises:
        TrainingError: a kind that was requested by name does not fit.
    """
    free = {"gpu": free_gpu, "ram": free_ram}
    if kind == "auto":
        return next((name for name in free if need <= _SHARE * free[name]), "none")
    if need > free[kind]:
        others = {"gpu": "ram, auto or none", "ram": "auto or none"}[kind]
        raise TrainingError(
            f"cache: {kind} needs {need} bytes ({need / 1e9:.1f} GB) for the decoded frames, but {free[kind]} "
            f"({free[kind] / 1e9:.1f} GB) are free; set cache to {others}, or free memory"
        )
    return kind


def free_bytes(device: torch.device) -> int:
    """Bytes of unused memory."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def measure(source: ClipSource, clip_ids: Sequence[str]) -> Layout:
    """Offset of each clip's frames, their number, and the height and width of the first.

    Raises:
        TrainingError: no clip, or one is named twice.
    """
    if not clip_ids or len(set(clip_ids)) != len(clip_ids):
        raise TrainingError(f"{len(clip_ids)} clips to keep in memory, {len(set(clip_ids))} different; need each once")
    counts = [source.record(clip_id).n_frames for clip_id in clip_ids]
    ends = itertools.accumulate(counts)
    places = {clip_id: range(end - count, end) for clip_id, count, end in zip(clip_ids, counts, ends, strict=True)}
    shape = source.frames(clip_ids[0], [0]).shape
    return places, sum(counts), (shape[1], shape[2])


def decoded_clips(source: ClipSource, clip_ids: Sequence[str], workers: int) -> Iterator[tuple[str, Frames]]:
    """All frames of each clip, in order, decoded by `workers` threads; 0: the caller's."""
    if workers == 0:
        yield from ((clip_id, source.frames(clip_id)) for clip_id in clip_ids)
        return
    pool = ThreadPoolExecutor(workers, "nrdfer-cache")
    try:
        waiting: deque[tuple[str, Future[Frames]]] = deque()
        for clip_id in clip_ids:
            waiting.append((clip_id, pool.submit(source.frames, clip_id)))
            if len(waiting) > _AHEAD * workers:
                first, future = waiting.popleft()
                yield first, future.result()
        yield from ((first, future.result()) for first, future in waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _places(clip_id: str, rows: range, indices: Sequence[int]) -> list[int]:
    for i in indices:
        if not 0 <= i < len(rows):
            raise IndexError(f"clip {clip_id} has frames 0 to {len(rows) - 1}, not {i}")
    return [rows.start + i for i in indices]


def _empty(shape: tuple[int, ...], device: torch.device) -> Tensor:
    return torch.empty(shape, dtype=torch.uint8, device=device)


def refuse_other_size(first: str, size: tuple[int, int], clip_id: str, frames_THWC: Frames) -> None:
    """Refuse a clip whose frames have another size (height, width) than those of the clip `first`.

    Raises:
        FrameSizesError: they have.
    """
    found = frames_THWC.shape[1:3]
    if found != size:
        raise FrameSizesError(
            f"decoded frames cannot be kept in memory: clip {first} has frames of {size[0]} x {size[1]} pixels, clip "
            f"{clip_id} of {found[0]} x {found[1]}; set cache to none, or write the shards with one image size"
        )
