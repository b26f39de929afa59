"""Prefetching of batches: threads read, decode and augment clips while the network computes.

Threads, because decoding, reading and warping release Python's GIL: nothing is copied between processes, and a kill
leaves nothing behind. What a clip becomes depends on its plan only (``dataset``), so neither the number of threads nor
how clips are shared between processes changes a batch. Shapes: B clips, T frames, C colours, H x W pixels.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nrdfer.core.errors import TrainingError
from nrdfer.data.batch_staging import Buffers, CachedBatch, Clips, DeviceBatch, HostBatch, Staged, pinned
from nrdfer.data.dataset import ClipDataset, ReadFrames
from nrdfer.data.frame_cache import FrameCache

Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some clips as a network takes them."""

    x_BTCHW: Tensor  # float32, values 0 to 1; the colours are the last axis of its memory
    y_B: Tensor  # int64, numbers of the emotions
    positions: Positions  # of the clips in their data set
    waited: float  # seconds for which the consumer waited


class BatchLoader:
    """Makes the batches of an epoch, in order.

    Args:
        data: the clips.
        device: of the batches.
        workers: threads that make clips; 0: clips are made in the caller's thread, on demand.
        cache: decoded frames to take instead of reading.
        ahead: batches that may be made in advance; they bound the memory in use.
        on_device: whether frames are augmented on `device` rather than by OpenCV; None: if it is a GPU.

    Raises:
        ValueError: a number that is not valid.
        TrainingError: the cache lacks a clip, or is on another device.
    """

    def __init__(
        self,
        data: ClipDataset,
        device: torch.device,
        *,
        workers: int,
        cache: FrameCache | None = None,
        ahead: int = 2,
        on_device: bool | None = None,
    ) -> None:
        if workers < 0 or ahead < 1:
            raise ValueError(f"workers must be at least 0 and ahead at least 1, not {workers} and {ahead}")
        device = torch.empty(0, device=device).device  # which GPU, if there are several
        if cache is not None:
            _check_cache(cache, data, device)
        self.data, self.device, self.workers, self.cache, self.ahead = data, device, workers, cache, ahead
        self.on_device = device.type == "cuda" if on_device is None else on_device
        self._buffers = Buffers(ahead + 2)
        # its own stream, so that copies and warps run beside the network
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def batches(self, positions: Sequence[Positions], epoch: int) -> Iterator[Batch]:
        """Batches of the clips at `positions`, one array a batch, as they are in `epoch`.

        Leaving early is allowed: close the generator, or let it go, and its threads end.

        Raises:
            NrdferError: a clip cannot be read; a note says which. Batches before it come first.
        """
        reading = self.data.reading(positions, epoch) if self.cache is None else nullcontext(self.cache.read)
        make = self._made_ahead if self.workers else self._made_here
        with ExitStack() as ends:
            made = ends.enter_context(closing(make(positions, epoch, reading.__enter__())))
            ends.push(reading)  # a stream ends before the threads that wait for its clips
            started = time.perf_counter()
            for part, ready in made:
                x_BTCHW, y_B = ready.take()
                waited = time.perf_counter() - started
                del ready  # only the consumer may hold the batch's memory
                yield Batch(x_BTCHW, y_B, part, waited)
                del x_BTCHW, y_B
                started = time.perf_counter()

    def _made_here(
        self, positions: Sequence[Positions], epoch: int, read: ReadFrames | None
    ) -> Generator[tuple[Positions, _Ready]]:
        for part in positions:
            batch = self._begin(part, epoch, read)
            for number in range(batch.parts):
                _make(batch, number)
            yield part, self._finish(batch, part, ())

    def _made_ahead(
        self, positions: Sequence[Positions], epoch: int, read: ReadFrames | None
    ) -> Generator[tuple[Positions, _Ready]]:
        todo = iter(positions)
        waiting: deque[tuple[Positions, Future[_Ready]]] = deque()
        makers = ThreadPoolExecutor(self.workers, "nrdfer-clips", self._enter_thread)
        finisher = ThreadPoolExecutor(1, "nrdfer-batches", self._enter_thread)
        with _one_opencv_thread():
            try:
                while True:
                    for part in itertools.islice(todo, self.ahead + 1 - len(waiting)):
                        batch = self._begin(part, epoch, read)
                        clips = [makers.submit(_make, batch, number) for number in range(batch.parts)]
                        waiting.append((part, finisher.submit(self._finish, batch, part, clips)))
                    if not waiting:
                        return
                    part, future = waiting.popleft()
                    yield part, future.result()
            finally:
                makers.shutdown(wait=False, cancel_futures=True)  # the finisher then waits for none of them
                finisher.shutdown(cancel_futures=True)
                makers.shutdown()

    def _enter_thread(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # a thread begins on the first GPU, and would take memory there

    def _begin(self, part: Positions, epoch: int, read: ReadFrames | None) -> Staged:
        clips = Clips(self.data, part, epoch)
        if self.cache is not None and self.cache.kind == "gpu":
            return CachedBatch(clips, self.cache)
        if self.on_device:
            return DeviceBatch(clips, read, self.device)
        return HostBatch(clips, read, self._buffers.take(self.data, len(part)))

    def _finish(self, batch: Staged, part: Positions, clips: Sequence[Future[None]]) -> _Ready:
        for clip in clips:
            clip.result()
        labels_B = torch.from_numpy(self.data.labels[part])
        with torch.cuda.stream(self._stream) if self._stream is not None else nullcontext():
            x_BTCHW = batch.finish().to(self.device)
            y_B = pinned(labels_B, self.device).to(self.device, non_blocking=True)
            return _Ready(x_BTCHW, y_B, None if self._stream is None else self._stream.record_event())


@dataclass(frozen=True, eq=False)
class _Ready:
    """A batch that is complete, or on a GPU will be once its event has completed."""

    x_BTCHW: Tensor
    y_B: Tensor
    event: torch.cuda.Event | None

    def take(self) -> tuple[Tensor, Tensor]:
        """Hand the tensors over to the caller's stream."""
        if self.event is not None:
            stream = torch.cuda.current_stream(self.x_BTCHW.device)
            stream.wait_event(self.event)
            for tensor in (self.x_BTCHW, self.y_B):
                tensor.record_stream(stream)  # their memory is the side stream's: not to be given out while in use
        return self.x_BTCHW, self.y_B


def _make(batch: Staged, number: int) -> None:
    try:
        batch.make(number)
    except Exception as error:
        error.add_note(f"while clip {batch.clips.plan(number).clip_id} was made")
        raise


def _check_cache(cache: FrameCache, data: ClipDataset, device: torch.device) -> None:
    missing = [clip_id for clip_id in data.clip_ids if clip_id not in cache]
    if missing:
        raise TrainingError(
            f"the cache of decoded frames lacks {len(missing)} of {len(data)} clips, e.g. {missing[0]}; open it with "
            "all clips that are to be read"
        )
    same = cache.device.type == device.type and cache.device.index in (None, device.index)
    if cache.kind == "gpu" and not same:
        raise TrainingError(f"decoded frames are on {cache.device}, but batches are wanted on {device}; use one device")


_opencv = threading.Lock()
_opencv_users = 0
_opencv_before = 0


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV from starting its own threads in addition to the workers.

    The setting is the whole process's: the first user makes it, the last one restores what was.
    """
    global _opencv_users, _opencv_before
    with _opencv:
        if _opencv_users == 0:
            _opencv_before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _opencv_users += 1
    try:
        yield
    finally:
        with _opencv:
            _opencv_users -= 1
            if _opencv_users == 0:
                cv2.setNumThreads(_opencv_before)
