"""Clips for training and testing, in an order and with augmentations that follow from seeds alone.

The order of an epoch is a permutation of (seed, epoch); a clip's frames and augmentation come from a generator of
(seed, epoch, clip index). So neither worker processes nor a restart change what the network sees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nrdfer.clips.augment import AugmentSettings, apply, draw, plain
from nrdfer.clips.interpolation import interpolate
from nrdfer.clips.sampling import Sampling, sample_indices
from nrdfer.emotions import emotion_index
from nrdfer.records import ClipRecord

_ORDER, _CLIP = 0, 1  # separate streams of random numbers


class ClipSource(Protocol):
    """Where clips are read from (`nrdfer.shards.reader.ShardReader`)."""

    def record(self, clip_id: str) -> ClipRecord:
        """What is known of a clip."""
        ...

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        """Frames (T, H, W, 3) RGB at `indices`."""
        ...


class ClipDataset:
    """A fixed list of clips as network input.

    Args:
        source: where frames are read.
        clip_ids: the clips; their position is part of the seed of their augmentation.
        image_size: side of the output, pixels.
        sampling: how a clip becomes T frames.
        seed: everything random derives from it.
        augment: None for testing: plain resizing, and the middle of the segments in dynamic sampling.

    Raises:
        ValueError: a clip has no emotion.
    """

    def __init__(
        self,
        source: ClipSource,
        clip_ids: Sequence[str],
        *,
        image_size: int,
        sampling: Sampling | None = None,
        seed: int = 0,
        augment: AugmentSettings | None = None,
    ) -> None:
        self.source = source
        self.clip_ids = list(clip_ids)
        self.image_size = image_size
        self.sampling = sampling or Sampling()
        self.seed = seed
        self.augment = augment
        records = [source.record(clip_id) for clip_id in self.clip_ids]
        for record in records:
            if record.emotion is None:
                raise ValueError(f"clip {record.clip_id} has no emotion; it cannot be trained on or evaluated")
        self.n_frames = [record.n_frames for record in records]
        self.labels = np.array([emotion_index(record.emotion or "") for record in records], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.clip_ids)

    def order(self, epoch: int, oversample: bool = False) -> npt.NDArray[np.int64]:
        """Positions of the clips of one epoch, in order.

        Oversampling draws as many clips as there are, every emotion with the same probability.
        """
        rng = np.random.default_rng([self.seed, _ORDER, epoch])
        if not oversample:
            return rng.permutation(len(self))
        share = 1.0 / np.bincount(self.labels)[self.labels]
        return rng.choice(len(self), size=len(self), p=share / share.sum())

    def get(self, position: int, epoch: int = 0) -> npt.NDArray[np.float32]:
        """Clip number `position` as the network sees it in `epoch`: (T, 3, S, S) float32, values 0 to 1."""
        rng = np.random.default_rng([self.seed, _CLIP, epoch, position]) if self.augment else None
        frames = self._sample(position, rng)
        size = (frames.shape[1], frames.shape[2])
        if self.augment is None or rng is None:
            change = plain(size, self.image_size)
        else:
            change = draw(size, self.image_size, self.augment, rng)
        return apply(frames, change, self.image_size)

    def _sample(self, position: int, rng: np.random.Generator | None) -> npt.NDArray[np.uint8]:
        """The clip's T frames, (T, H, W, 3)."""
        clip_id, sampling = self.clip_ids[position], self.sampling
        if sampling.strategy == "ds":
            indices = sample_indices(self.n_frames[position], sampling.segments, sampling.duration, rng)
            return self.source.frames(clip_id, indices)
        return interpolate(self.source.frames(clip_id), sampling.frames, sampling.strategy)

    def batch(
        self, positions: Sequence[int] | npt.NDArray[np.int64], epoch: int = 0
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Several clips (B, T, 3, S, S) and their labels (B,)."""
        return np.stack([self.get(int(p), epoch) for p in positions]), self.labels[np.asarray(positions)]
