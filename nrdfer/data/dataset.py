"""Clips for training and testing, in an order and with augmentations that follow from seeds alone.

The order of an epoch is a permutation of (seed, epoch), or the source's if it is a stream; a clip's frames and
augmentation come from a generator of (seed, epoch, clip index). So neither workers nor a restart change what the
network sees. A clip is made in three parts that may happen in different places: planned, read, and augmented; where and
when belongs to ``loader``.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import TrainingError
from nrdfer.core.plain_text import one_line
from nrdfer.core.records import ClipRecord
from nrdfer.data.augment import DRAWS, Change, apply_into, change_of, plain
from nrdfer.data.sampling import sample_indices
from nrdfer.data.settings import AugmentSettings, Sampling
from nrdfer.data.time_interpolation import interpolate

_ORDER, _CLIP = 0, 1  # separate streams of random numbers


class ClipSource(Protocol):
    """Source of clips (`nrdfer.shards.reader.ShardReader`)."""

    def record(self, clip_id: str) -> ClipRecord:
        """Record of a clip."""
        ...

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) RGB at `indices`."""
        ...


#: Frames (T, H, W, 3) of a clip at some indices, or all: `ClipSource.frames`, or a replacement for it.
ReadFrames = Callable[[str, Sequence[int] | None], npt.NDArray[np.uint8]]


class StreamedSource(abc.ABC):
    """A `ClipSource` that is read in one order only, which it determines (`nrdfer.shards.stream.ShardStream`)."""

    @abc.abstractmethod
    def record(self, clip_id: str) -> ClipRecord:
        """Record of a clip, as far as it is known without reading."""

    @abc.abstractmethod
    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Raises: a clip comes by `opened` only."""

    @abc.abstractmethod
    def order(self, clip_ids: Sequence[str], seed: int, epoch: int | None) -> list[str]:
        """All of `clip_ids`, shuffled by seed and epoch, or unshuffled for testing (None)."""

    @abc.abstractmethod
    def opened(
        self,
        clip_ids: Sequence[str],
        seed: int,
        epoch: int | None,
        wanted: Sequence[str],
        indices_of: Callable[[str], Sequence[int] | None],
    ) -> AbstractContextManager[ReadFrames]:
        """A reader of the clips `wanted`, each once, in the order of `order(clip_ids, seed, epoch)`.

        Of each clip the frames at `indices_of` are kept.
        """


@dataclass(frozen=True)
class Plan:
    """All random choices for one clip in one epoch, made before anything is read."""

    position: int
    clip_id: str
    indices: tuple[int, ...] | None  # frames to read; None: all, to be interpolated
    draws: tuple[float, ...] | None  # what the augmentation is made of; None: plain resizing


def size_of(frames_THWC: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Height and width of a clip's frames."""
    return frames_THWC.shape[1], frames_THWC.shape[2]


class ClipDataset:
    """A fixed list of clips as network input.

    Args:
        source: where frames are read.
        clip_ids: the clips; their position is part of the seed of their augmentation.
        image_size: side of the output, pixels.
        emotions: the label set, in class order.
        sampling: how a clip becomes T frames.
        seed: everything random derives from it.
        augment: None for testing: plain resizing, and the middle of the segments in dynamic sampling.

    Raises:
        ValueError: a clip has no emotion.
        TrainingError: its emotion is not in the label set.
    """

    def __init__(
        self,
        source: ClipSource,
        clip_ids: Sequence[str],
        *,
        image_size: int,
        emotions: Sequence[str],
        sampling: Sampling | None = None,
        seed: int = 0,
        augment: AugmentSettings | None = None,
    ) -> None:
        self.source = source
        self.clip_ids = list(clip_ids)
        self.image_size = image_size
        self.emotions = tuple(emotions)
        self.sampling = sampling or Sampling()
        self.seed = seed
        self.augment = augment
        records = [source.record(clip_id) for clip_id in self.clip_ids]
        index = {emotion: k for k, emotion in enumerate(self.emotions)}
        for record in records:
            if record.emotion is None:
                raise ValueError(f"clip {record.clip_id} has no emotion; it cannot be trained on or evaluated")
            if record.emotion not in index:
                raise TrainingError(
                    f"clip {record.clip_id} is labelled {one_line(record.emotion)!r}, which is none of "
                    f"{', '.join(self.emotions)}: clips and network have different label sets. Train and evaluate on "
                    "clips of one corpus, or compare corpora on the emotions that they share"
                )
        self.n_frames = [record.n_frames for record in records]
        self.labels = np.array([index[str(record.emotion)] for record in records], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.clip_ids)

    def order(self, epoch: int, oversample: bool = False) -> npt.NDArray[np.int64]:
        """Positions of the clips of one epoch, in order.

        Oversampling draws as many clips as there are, every emotion with the same probability.

        Raises:
            TrainingError: a stream, in which each clip comes once, cannot be oversampled.
        """
        if isinstance(self.source, StreamedSource):
            if oversample:
                raise TrainingError(
                    "oversample draws clips more than once, and a stream brings each once; set data: {reader: indexed}"
                )
            return self._numbers(self.source.order(self.clip_ids, self.seed, epoch))
        rng = np.random.default_rng([self.seed, _ORDER, epoch])
        if not oversample:
            return rng.permutation(len(self))
        share = 1.0 / np.bincount(self.labels)[self.labels]
        return rng.choice(len(self), size=len(self), p=share / share.sum())

    def test_order(self) -> npt.NDArray[np.int64]:
        """Positions of all clips in the order in which they are read for testing."""
        if isinstance(self.source, StreamedSource):
            return self._numbers(self.source.order(self.clip_ids, self.seed, None))
        return np.arange(len(self))

    @property
    def streamed(self) -> bool:
        """Whether clips come in one order only."""
        return isinstance(self.source, StreamedSource)

    def reading(
        self, batches: Sequence[npt.NDArray[np.int64]], epoch: int
    ) -> AbstractContextManager[ReadFrames | None]:
        """What reads the clips of some batches in this order while it is open; None: the source does, in any order."""
        if not isinstance(self.source, StreamedSource):
            return nullcontext()
        positions = [int(position) for batch in batches for position in batch]
        place = {self.clip_ids[position]: position for position in positions}
        return self.source.opened(
            self.clip_ids,
            self.seed,
            epoch if self.augment else None,
            [self.clip_ids[position] for position in positions],
            lambda clip_id: self.plan(place[clip_id], epoch).indices,
        )

    def _numbers(self, clip_ids: Sequence[str]) -> npt.NDArray[np.int64]:
        place = {clip_id: position for position, clip_id in enumerate(self.clip_ids)}
        return np.array([place[clip_id] for clip_id in clip_ids], dtype=np.int64)

    def plan(self, position: int, epoch: int = 0) -> Plan:
        """Plan for clip number `position` in `epoch`."""
        rng = np.random.default_rng([self.seed, _CLIP, epoch, position]) if self.augment else None
        sampling, indices = self.sampling, None
        if sampling.strategy == "ds":
            found = sample_indices(self.n_frames[position], sampling.segments, sampling.duration, rng, sampling.pick)
            indices = tuple(found)
        draws = None if rng is None else tuple(rng.random(DRAWS).tolist())
        return Plan(position, self.clip_ids[position], indices, draws)

    def read(self, plan: Plan, read: ReadFrames | None = None) -> npt.NDArray[np.uint8]:
        """The clip's T frames, (T, H, W, 3) uint8; `read` may replace the source."""
        frames = (read or self.source.frames)(plan.clip_id, plan.indices)
        if plan.indices is not None:
            return frames
        return interpolate(frames, self.sampling.frames, self.sampling.strategy)

    def change(self, plan: Plan, size: tuple[int, int]) -> Change:
        """Augmentation of the clip's frames, given their height and width."""
        if self.augment is None or plan.draws is None:
            return plain(size, self.image_size)
        return change_of(size, self.image_size, self.augment, plan.draws)

    def make(self, plan: Plan, x_TSSC: npt.NDArray[np.float32], read: ReadFrames | None = None) -> None:
        """Read and augment a clip into `x_TSSC`: float32, values 0 to 1; `read` may replace the source."""
        frames = self.read(plan, read)
        apply_into(frames, self.change(plan, size_of(frames)), x_TSSC)

    def empty(self, *clips: int) -> npt.NDArray[np.float32]:
        """Uninitialised memory for some clips, (*clips, T, S, S, 3) float32, for `make` to fill."""
        return np.empty((*clips, self.sampling.frames, self.image_size, self.image_size, 3), np.float32)

    def get(self, position: int, epoch: int = 0) -> npt.NDArray[np.float32]:
        """Clip number `position` as the network sees it in `epoch`: (T, 3, S, S) float32, values 0 to 1."""
        x_TSSC = self.empty()
        self.make(self.plan(position, epoch), x_TSSC)
        return x_TSSC.transpose(0, 3, 1, 2)

    def batch(
        self, positions: Sequence[int] | npt.NDArray[np.int64], epoch: int = 0
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Several clips (B, T, 3, S, S) and their labels (B,)."""
        x_BTSSC = self.empty(len(positions))
        for x_TSSC, position in zip(x_BTSSC, positions, strict=True):
            self.make(self.plan(int(position), epoch), x_TSSC)
        return x_BTSSC.transpose(0, 1, 4, 2, 3), self.labels[np.asarray(positions)]
