"""The training: what is learnt from what, put together; read it top to bottom in one sitting.

Exact: a training that was killed and continued ends with the same weights and history, bit for bit, as one that was
not; the clips of a batch and their augmentation are the same for any number of ranks and loader threads. Where it
stands is ``epochs``' business, one step ``learner``'s, what the files are called
``nrdfer.models.saved_model``', where clips come from ``nrdfer.data``'.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nrdfer.data.dataset import ClipDataset, ClipSource
from nrdfer.data.frame_cache import open_cache
from nrdfer.data.loader import BatchLoader
from nrdfer.evaluation.inference import predict
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.registry import build_model
from nrdfer.models.saved_model import (
    EpochReport,
    best_epoch,
    cpu_weights,
    load_weights,
    write_description,
    write_history,
    write_weights,
)
from nrdfer.models.trained_files import BEST, LAST
from nrdfer.runtime.determinism import described, full_precision, gpus_of, set_up
from nrdfer.runtime.distributed import joined
from nrdfer.runtime.engine import Engine
from nrdfer.training.epochs import Training
from nrdfer.training.identity import identity_of
from nrdfer.training.input_checks import check_emotions, check_lists, check_sampling, learnable
from nrdfer.training.learner import Learner
from nrdfer.training.monitor import Watch
from nrdfer.training.out_of_memory import memory_errors
from nrdfer.training.progress import Report
from nrdfer.training.recipe import Recipe
from nrdfer.training.signals import stop_requests


@dataclass(frozen=True)
class TrainingResult:
    """Where a training has put its files, and its figures by epoch."""

    out: Path
    reports: tuple[EpochReport, ...]

    @property
    def last(self) -> EpochReport:
        """The last epoch: the honest protocol."""
        return self.reports[-1]

    @property
    def best(self) -> EpochReport:
        """The best epoch on the test clips: the paper protocol."""
        return best_epoch(self.reports)


def train(
    model_name: str,
    model_settings: Mapping[str, Any],
    recipe: Recipe,
    source: ClipSource,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    *,
    engine: Engine | None = None,
    workdir: Path,
    out: Path,
    initial_weights: Path | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    progress: Report | None = None,
    decoding: Callable[[int, int], None] | None = None,
) -> TrainingResult:
    """Train one network on one split; continues from the newest checkpoint in `workdir`.

    Args:
        model_name: name in `nrdfer.models.registry`.
        model_settings: the network's settings.
        recipe: what is learnt.
        source: where clips are read; frames are decoded batch by batch.
        train_ids: clips to learn from; their order does not matter.
        test_ids: clips to test on after every epoch; they decide nothing but which epoch is called best.
        engine: how it is computed. Called once in each of several processes (see `ranks.joined`), it shares every
            batch among them; only the first writes files.
        workdir: checkpoints, the log (``train.jsonl``) and the history so far.
        out: receives ``last.safetensors``, ``best.safetensors``, ``history.jsonl`` and ``model.json``.
        initial_weights: safetensors of the same network to start from.
        on_epoch: called after each epoch, when its checkpoint and history are on disk.
        progress: called after each batch.
        decoding: called with (clips decoded, clips) while the engine's cache is filled.

    Raises:
        TrainingError: a clip in both lists, an emotion without clips, a batch larger than the list, a loss that is
            not a number, a checkpoint of another training, not enough memory.
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved, and the same call continues.
        WeightsError: `initial_weights` do not fit the network.
        ProfileError: a device that is not there, an unknown network or setting.
    """
    engine = engine or Engine()
    check_lists(train_ids, test_ids)
    train_ids = learnable(source, train_ids, recipe.min_frames)
    workdir.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    device = set_up(engine)
    with memory_errors(recipe, engine), joined(device) as ranks, stop_requests() as stop:
        torch.manual_seed(recipe.seed)  # of the initial weights
        model = build_model(model_name, model_settings)
        check_sampling(recipe, model.settings.frames)
        size, seed = model.settings.image_size, recipe.seed
        data = ClipDataset(
            source, train_ids, image_size=size, sampling=recipe.sampling, seed=seed, augment=recipe.augment
        )
        tested = ClipDataset(source, sorted(test_ids), image_size=size, sampling=recipe.sampling)
        check_emotions(data, tested, recipe)
        if initial_weights is not None:
            load_weights(model, initial_weights)
        identity = identity_of(model_name, model_settings, recipe, engine, train_ids, test_ids, initial_weights)
        cache = open_cache(
            source, [*train_ids, *test_ids], engine.cache, device, workers=engine.workers, progress=decoding
        )
        batches = math.ceil(len(data) / recipe.batch)
        learner = Learner(model, recipe, engine, device, ranks, batches)
        loader = BatchLoader(data, device, workers=engine.workers, cache=cache)
        test = functools.partial(predict, learner.model, tested, workers=engine.workers, cache=cache, ranks=ranks)
        watch = Watch(
            workdir,
            recipe.epochs,
            batches,
            tells=ranks.first,
            gpus=gpus_of(device, ranks.world),
            progress=progress,
        )
        with watch:
            training = Training(learner, loader, identity, workdir, watch, stop)
            training.resume()
            kept = "none" if cache is None else cache.kind
            watch.tell("start", step=training.step, cache=kept, **described(engine, device, ranks.world))
            while training.epoch <= recipe.epochs:
                training.finish_epoch()
                with full_precision():
                    table = test(between=training.heed_stop)
                training.close_epoch(fold_metrics(table), on_epoch)
        if ranks.first:
            write_weights(out / LAST, cpu_weights(learner.model))
            write_weights(out / BEST, training.best)
            write_history(out, training.reports)
            write_description(out, model_name, model_settings, dataclasses.asdict(recipe))
        return TrainingResult(out, tuple(training.reports))
