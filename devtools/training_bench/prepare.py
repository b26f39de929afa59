"""Preparation of the training benchmark: both loops on the same clips with the same weights.

Keep out: alternating runs (`devtools.training_bench.clocks`) and which engines are compared (``bench/train.py``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from devtools.picture_folders import SIDE, PictureFolders, shard_folders
from devtools.training_bench.ways import LabelledPictures, OurTraining, PlainLoop
from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache, open_cache
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.runtime.engine import Engine
from nrdfer.shards.reader import ShardReader


@dataclass(frozen=True)
class Bench:
    """Both halves on the same clips with the same weights."""

    reader: ShardReader
    cache: FrameCache | None
    decode_rate: float  # frames per second, of opening the cache
    settings: NRDFERNetSettings
    plain: PlainLoop
    ours: dict[str, OurTraining]
    former_dfer: PlainLoop | None = None


def prepare(
    folders: Sequence[Path],
    shards: Path,
    settings: NRDFERNetSettings,
    recipe: Recipe,
    engines: Mapping[str, Engine],
    device: torch.device,
    former_dfer: nn.Module | None = None,
) -> Bench:
    """Write the shards, and make every way ready to begin; `former_dfer` is trained by the plain loop, too."""
    reader = shard_folders(folders, shards)
    data = ClipDataset(
        reader, reader.clip_ids, image_size=SIDE, emotions=EMOTIONS, sampling=recipe.sampling, augment=recipe.augment
    )
    first = next(iter(engines.values()))
    started = time.perf_counter()
    cache = open_cache(reader, reader.clip_ids, first.cache, device, workers=first.workers)
    decode_rate = sum(data.n_frames) / (time.perf_counter() - started)
    torch.manual_seed(recipe.seed)
    start = NRDFERNet(settings).state_dict()

    def fresh() -> NRDFERNet:
        model = NRDFERNet(settings)
        model.load_state_dict(start)
        return model

    pictures = LabelledPictures(PictureFolders(folders, recipe.augment), data.labels.tolist())
    plain = PlainLoop(fresh(), pictures, recipe, device)
    ours = {name: OurTraining(fresh(), data, recipe, engine, device, cache) for name, engine in engines.items()}
    theirs = None if former_dfer is None else PlainLoop(former_dfer, pictures, recipe, device)
    return Bench(reader, cache, decode_rate, settings, plain, ours, theirs)
