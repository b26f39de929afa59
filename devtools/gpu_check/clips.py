"""Clips, a network and steps of a size that every check can afford."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nrdfer.config.recipe import RECIPES, Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.loader import BatchLoader, Positions
from nrdfer.data.settings import AugmentSettings
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.registry import resolve_settings
from nrdfer.runtime.determinism import seed_step, set_up
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import Engine
from nrdfer.training.learner import Learner
from nrdfer.training.recorded_step import Recorder, RepeatedWork

SIDE, FRAMES, CLIPS, BATCH = 40, 18, 14, 7
TINY: Mapping[str, Any] = {
    "image_size": 32,
    "widths": (8, 8, 16),  # as narrow as `ClipNetwork.lay_out` keeps the colours last for
    "spatial_depth": 1,
    "spatial_mlp": 8,
    "temporal_depth": 1,
    "temporal_mlp": 8,
    "dropout": 0.0,
}
RECIPE = dataclasses.replace(RECIPES["dfew-paper"], batch=BATCH, lr=0.05, augment=AugmentSettings(contrast=0.2))


class BrokenError(Exception):
    """A property that does not hold on this machine."""


def hold(holds: bool, found: object = "") -> None:
    """Note that a property holds.

    Raises:
        BrokenError: it does not; the message is what was `found`.
    """
    if not holds:
        raise BrokenError(str(found) or "it does not hold")


def smooth_pictures(seed: int, frames: int, side: int = SIDE) -> NDArray[np.uint8]:
    """Pictures (T, H, W, 3) whose detail is as coarse as a photograph's."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (frames, side // 8, side // 8, 3), dtype=np.uint8)
    grown = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in small]
    return np.asarray(np.stack(grown), np.uint8)


def source(clips: int = CLIPS) -> MemorySource:
    """Clips of every emotion."""
    return MemorySource(
        (ClipRecord("check", f"{i:05d}", EMOTIONS[i % 7], "", FRAMES, "0" * 64), smooth_pictures(i, FRAMES))
        for i in range(clips)
    )


def dataset(*, augmented: bool = True) -> ClipDataset:
    """The clips as input of the tiny network."""
    clips = source()
    augment = RECIPE.augment if augmented else None
    return ClipDataset(clips, clips.clip_ids, image_size=TINY["image_size"], emotions=EMOTIONS, seed=1, augment=augment)


def batches_of(count: int, batch: int = BATCH, clips: int = CLIPS) -> list[Positions]:
    """Positions of so many batches, each epoch of them in another order."""
    rng, order = np.random.default_rng(0), np.empty(0, np.int64)
    while len(order) < count * batch:
        order = np.concatenate([order, rng.permutation(clips)])
    return [order[start : start + batch] for start in range(0, count * batch, batch)]


def network(settings: Mapping[str, Any] = TINY) -> NRDFERNet:
    """The network with the weights of seed 0, the same at every call."""
    torch.manual_seed(0)
    resolved = resolve_settings("nr-dfernet", dict(settings))
    return NRDFERNet(cast(NRDFERNetSettings, resolved))


def recorder_of(device: torch.device) -> Recorder | None:
    """How graphs are recorded: as in a training on a GPU, by the stand-in on a CPU."""
    return None if device.type == "cuda" else RepeatedWork()


def learner(engine: Engine, recipe: Recipe = RECIPE, recorder: Recorder | None = None) -> Learner:
    """A network with its optimiser, on the device of `engine`, in training mode."""
    made = Learner(network(), recipe, engine, set_up(engine), Ranks(), 8, recorder)
    made.model.train()
    return made


def steps(made: Learner, count: int, parts: Sequence[Positions] | None = None) -> Iterator[Tensor]:
    """So many steps on the clips; yields the loss of each, on the learner's device."""
    parts = parts or batches_of(count)
    loader = BatchLoader(dataset(), made.device, workers=made.engine.workers)
    for number, loaded in enumerate(loader.batches(parts, 1)):
        seed_step(made.recipe.seed, 1, number, 0)
        loss, _ = made.loss(loaded.x_BTCHW, loaded.y_B)
        yield loss.detach().clone()
        made.update(loss, 1)


def losses(engine: Engine, count: int = 4, parts: Sequence[Positions] | None = None) -> list[float]:
    """Losses of the first steps of a training with an engine."""
    return [float(loss) for loss in steps(learner(engine), count, parts)]
