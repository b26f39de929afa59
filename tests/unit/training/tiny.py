"""A training of seconds: a narrow network, and clips in which each emotion is a bright spot at a place of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipSource
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.settings import AugmentSettings
from nrdfer.models.saved_model import EpochReport
from nrdfer.models.trained_files import BEST, HISTORY, LAST, MODEL
from nrdfer.runtime.engine import Engine
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.loop import TrainingResult, train
from nrdfer.training.progress import Progress
from nrdfer.training.request import TrainingRequest

SETTINGS: dict[str, Any] = {
    "image_size": 32,
    "widths": (4, 6, 8),
    "spatial_depth": 1,
    "spatial_mlp": 8,
    "temporal_depth": 1,
    "temporal_mlp": 8,
    "dropout": 0.1,  # so that the generator's state matters
}
RECIPE = Recipe(
    epochs=3,
    batch=4,
    lr=0.05,
    schedule="onecycle",
    clip_norm=1.0,
    augment=AugmentSettings(brightness=0.1),
)
ENGINE = Engine(device="cpu", threads=1, workers=0)
FILES = (LAST, BEST, HISTORY, MODEL)


class KilledError(Exception):
    """Stands for a process that died."""


def spots(n: int = 21, emotions: Sequence[str] = EMOTIONS) -> MemorySource:
    """Each emotion is a bright spot at a place of its own, in noise."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(n):
        emotion = i % len(emotions)
        frames = rng.integers(0, 60, (18, 32, 32, 3), dtype=np.uint8)
        angle = 2 * np.pi * emotion / len(emotions)
        y, x = int(16 + 10 * np.sin(angle)), int(16 + 10 * np.cos(angle))
        frames[:, y - 4 : y + 4, x - 4 : x + 4] = 220
        clips.append((ClipRecord("dfew", f"{i:05d}", emotions[emotion], "", 18, "0" * 64), frames))
    return MemorySource(clips)


def request(folder: Path, recipe: Recipe = RECIPE, **changes: Any) -> TrainingRequest:
    """The training of the clips of `spots`; `changes` are other fields of it."""
    ids = tuple(f"{i:05d}" for i in range(21))
    work, out = folder / "work", folder / "out"
    plain = TrainingRequest("nr-dfernet", SETTINGS, recipe, ENGINE, folder / "shards", ids[:14], ids[14:], work, out)
    return dataclasses.replace(plain, **changes)


def run(source: ClipSource, folder: Path, recipe: Recipe = RECIPE, **changes: Any) -> TrainingResult:
    """Train on clips in memory; `changes` are callbacks and fields of the request."""
    names = [field.name for field in dataclasses.fields(TrainingCallbacks)]
    callbacks = TrainingCallbacks(**{name: changes.pop(name) for name in names if name in changes})
    return train(request(folder, recipe, **changes), callbacks, source=source)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / "out" / name).read_bytes() for name in FILES}


def after_epoch(epoch: int) -> dict[str, Callable[..., None]]:
    def die(report: EpochReport) -> None:
        if report.epoch == epoch:
            raise KilledError

    return {"on_epoch": die}


def after_step(step: int) -> dict[str, Callable[..., None]]:
    def die(progress: Progress) -> None:
        if progress.step == step:
            raise KilledError

    return {"on_batch": die}
