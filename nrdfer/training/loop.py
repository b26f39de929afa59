"""The training loop, from a request to the files of a trained folder, in reading order.

`train_tracked` is a training with MLflow, `train_fold` one on as many processes as its engine requests, `train` the
work of each of these processes.

Exact: a training that was killed and continued ends with the same weights and history, bit for bit, as one that was
not; the clips of a batch and their augmentation are the same for any number of ranks and loader threads. Epochs
and resuming belong to ``epochs``, one step to ``learner``, names of files to ``nrdfer.models``, clips to
``nrdfer.data``.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from nrdfer.data.dataset import ClipDataset, ClipSource
from nrdfer.data.loader import BatchLoader
from nrdfer.evaluation.inference import predict
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.evaluation.validation import Choice, Validation
from nrdfer.models.base import ClipNetwork
from nrdfer.models.check_network import check_network
from nrdfer.models.registry import build_recorded
from nrdfer.models.saved_model import (
    EpochReport,
    best_epoch,
    cpu_weights,
    load_weights,
    read_history,
    validated_epoch,
    write_description,
    write_history,
    write_weights,
)
from nrdfer.models.trained_files import BEST, LAST, VALIDATED
from nrdfer.runtime.determinism import described, evaluation_precision, gpus_of, set_up
from nrdfer.runtime.distributed import joined
from nrdfer.runtime.placement import places
from nrdfer.shards.decoded_frames import open_frames
from nrdfer.shards.stream import open_clips
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.training_log import LOG
from nrdfer.training.callbacks import SILENT, TrainingCallbacks
from nrdfer.training.epochs import Training
from nrdfer.training.held_out import hold_out
from nrdfer.training.input_checks import cache_kind, check_emotions, check_lists, check_sampling, learnable
from nrdfer.training.key import key_of
from nrdfer.training.launch import train_on_ranks
from nrdfer.training.learner import Learner
from nrdfer.training.monitor import Follower, Watch
from nrdfer.training.nodes import train_on_nodes
from nrdfer.training.out_of_memory import memory_errors
from nrdfer.training.pick import pick_of, with_pick
from nrdfer.training.request import TrainingRequest
from nrdfer.training.signals import stop_requests
from nrdfer.training.torchrun import by_torchrun

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Output folder of a training run, and its figures by epoch."""

    out: Path
    reports: tuple[EpochReport, ...]

    @property
    def last(self) -> EpochReport:
        """The last epoch, which the honest protocol reports."""
        return self.reports[-1]

    @property
    def best(self) -> EpochReport:
        """The best epoch on the test clips, which the paper's protocol reports."""
        return best_epoch(self.reports)

    @property
    def validated(self) -> EpochReport | None:
        """The best epoch on held-out training clips, which the validated protocol reports, if any were held out."""
        return validated_epoch(self.reports)


def train_tracked(
    request: TrainingRequest,
    callbacks: TrainingCallbacks = SILENT,
    *,
    tracking: Tracking,
    facts: RunFacts,
    wait: float = 120.0,
    log: logging.Logger = _log,
) -> dict[str, Any]:
    """Train one fold as `train_fold` does, and upload its log to MLflow meanwhile, even if its server is unreachable.

    Args:
        request: the training; its `out` receives the log (``train.jsonl``), too.
        callbacks: called while it trains.
        tracking: the MLflow store.
        facts: name, tags and digest for MLflow; the digest should be the artefact's.
        wait: seconds that a finished training waits for an unreachable server, before it leaves the rest for later.
        log: receives a message when the server becomes unreachable or reachable again.

    Returns:
        As `train_fold`, and ``mlflow_run_id``: empty if the server never answered; the run is then created later, and
        found by the digest.
    """
    written = request.workdir / LOG
    with Delivery(tracking, written, facts, wait=wait, log=log) as delivery:
        result = train_fold(request, callbacks)
    shutil.copyfile(written, request.out / LOG)  # the work folder goes when the artefact is published
    return {**result, "mlflow_run_id": delivery.run_id or ""}


def train_fold(request: TrainingRequest, callbacks: TrainingCallbacks = SILENT) -> dict[str, Any]:
    """Train one fold, or fine-tune on AFEW; continues from the checkpoint in the request's `workdir` if there is one.

    On several devices each batch is divided among as many processes; of several GPUs the least used ones are chosen.
    A process that ``torchrun`` started is one of them already; several machines are those of Slurm or Ray.

    Args:
        request: the training; its engine has the number of devices.
        callbacks: called in this process, even if others train.

    Returns:
        Figures of the last epoch, of the best one, and, where clips were held out, of the best one on them.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved, and the same call continues.
        ProfileError: several nodes are requested that this process does not have (`nodes.check`).
        NrdferError: see `train`.
    """
    if by_torchrun():
        train(request, callbacks)
        return _figures(request)
    if request.engine.nodes > 1:
        train_on_nodes(request, Follower(request.workdir, callbacks).look)
        return _figures(request)
    with places(request.engine) as place:
        placed = dataclasses.replace(request, engine=dataclasses.replace(request.engine, devices=place.world))
        if place.world == 1:
            train(placed, callbacks)
        else:
            follower = Follower(placed.workdir, callbacks)
            train_on_ranks(placed, place.world, place.visible, follower.look)
    return _figures(request)


def _figures(request: TrainingRequest) -> dict[str, Any]:
    """Number of epochs, and figures of the last and the best."""
    reports = [EpochReport(**row) for row in read_history(request.out)]
    figures = {"last": reports[-1], "best": best_epoch(reports), "validated": validated_epoch(reports)}
    each = {name: report.to_dict() for name, report in figures.items() if report is not None}
    return {"epochs": len(reports), **each, **pick_of(request.workdir)}


def train(
    request: TrainingRequest, callbacks: TrainingCallbacks = SILENT, *, source: ClipSource | None = None
) -> TrainingResult:
    """Train one network on one split; continues from the newest checkpoint in the request's `workdir`.

    Called once in each of several processes (see `nrdfer.runtime.distributed.joined`), it shares every batch among
    them; only the first writes files and calls back.

    Args:
        request: the training; its `out` receives ``last.safetensors``, ``best.safetensors``, ``history.jsonl`` and
            ``model.json``; also ``validated.safetensors`` and ``validation.json`` if its recipe holds clips out.
        callbacks: called while it trains.
        source: of the clips, if not the request's shards; frames are decoded batch by batch.

    Raises:
        TrainingError: a clip in both lists, an emotion without clips, a batch larger than the list, a loss that is
            not a number, a checkpoint of another training, not enough memory.
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved, and the same call continues.
        WeightsError: the initial weights do not fit the network.
        ProfileError: a device that is not there, an unknown network or setting.
        PluginError: a network of another package or a user's file cannot be loaded, or does not answer with logits.
    """
    source = open_clips(request.shards, request.data) if source is None else source
    request, held_ids = _checked(request, source)
    recipe, engine = request.recipe, request.engine
    device = set_up(engine)
    with memory_errors(recipe, engine), joined(device) as ranks, stop_requests() as stop:
        model = _new_network(request)
        data, tested = _datasets(request, source, model)
        if request.initial_weights is not None:
            load_weights(model, request.initial_weights)
        clips, decoded = [*request.train_ids, *held_ids, *request.test_ids], callbacks.on_decoded
        kind = cache_kind(engine.cache, data.streamed)
        cache = open_frames(source, clips, kind, device, workers=engine.workers, progress=decoded)
        batches = math.ceil(len(data) / recipe.batch)
        learner = Learner(model, recipe, engine, device, ranks, batches)
        loader = BatchLoader(data, device, workers=engine.workers, cache=cache)
        predicted = functools.partial(
            predict, learner.model, batch=engine.test_batch, workers=engine.workers, cache=cache, ranks=ranks
        )
        test = functools.partial(predicted, tested)
        held = _test_set(request, source, model, held_ids) if held_ids else None
        identity, gpus = key_of(request).checkpoint_identity(), gpus_of(device, ranks.world)
        with Watch(
            request.workdir, recipe.epochs, batches, tells=ranks.first, gpus=gpus, progress=callbacks.on_batch
        ) as watch:
            training = Training(learner, loader, identity, request.workdir, watch, stop)
            training.resume()
            kept = "none" if cache is None else cache.kind
            facts = described(engine, device, ranks.world) | pick_of(request.workdir)
            watch.tell("start", step=training.step, cache=kept, **facts)
            _run_epochs(training, test, callbacks.on_epoch, functools.partial(predicted, held) if held else None)
        if ranks.first:
            _write_results(request, training, held_ids)
        return TrainingResult(request.out, tuple(training.reports))


def _checked(request: TrainingRequest, source: ClipSource) -> tuple[TrainingRequest, list[str]]:
    """The request with its usable training clips, sorted, and those held out of them; its folders exist."""
    check_lists(request.train_ids, request.test_ids)
    recipe, held_ids = request.recipe, list[str]()
    train_ids = learnable(source, request.train_ids, recipe.min_frames)
    if recipe.validation is not None:
        train_ids, held_ids = hold_out(source, train_ids, recipe.validation, recipe.seed)
    request.workdir.mkdir(parents=True, exist_ok=True)
    request.out.mkdir(parents=True, exist_ok=True)
    return with_pick(dataclasses.replace(request, train_ids=tuple(train_ids))), held_ids


def _new_network(request: TrainingRequest) -> ClipNetwork:
    """The network, initialised by the recipe's seed."""
    torch.manual_seed(request.recipe.seed)
    model = build_recorded(request.model, request.code, request.model_settings)
    check_sampling(request.recipe, model.settings.frames)
    if request.code:
        check_network(model, f"network {request.model}")
    return model


def _datasets(request: TrainingRequest, source: ClipSource, model: ClipNetwork) -> tuple[ClipDataset, ClipDataset]:
    """The training clips, augmented, and the test clips, at the network's size."""
    recipe, size, emotions = request.recipe, model.settings.image_size, model.settings.emotions
    data = ClipDataset(
        source,
        request.train_ids,
        image_size=size,
        emotions=emotions,
        sampling=recipe.sampling,
        seed=recipe.seed,
        augment=recipe.augment,
    )
    tested = _test_set(request, source, model, request.test_ids)
    check_emotions(data, tested, recipe)
    return data, tested


def _test_set(request: TrainingRequest, source: ClipSource, model: ClipNetwork, clip_ids: Sequence[str]) -> ClipDataset:
    """Clips to predict, as they are, at the network's size."""
    s = model.settings
    sampling = request.recipe.sampling
    return ClipDataset(source, sorted(clip_ids), image_size=s.image_size, emotions=s.emotions, sampling=sampling)


def _run_epochs(
    training: Training,
    test: Callable[..., pd.DataFrame],
    on_epoch: Callable[[EpochReport], None] | None,
    validate: Callable[..., pd.DataFrame] | None,
) -> None:
    """Train and test, epoch by epoch, until the recipe's last."""
    while training.epoch <= training.recipe.epochs:
        training.finish_epoch()
        with evaluation_precision(training.engine, training.learner.device):
            table = test(between=training.heed_stop)
            held_out = validate(between=training.heed_stop) if validate else None
        training.close_epoch(fold_metrics(table, training.learner.model.settings.emotions), on_epoch, held_out)


def _write_results(request: TrainingRequest, training: Training, held_ids: Sequence[str]) -> None:
    """Write the weights, the history, the description, and what was chosen on held-out clips."""
    write_weights(request.out / LAST, cpu_weights(training.learner.model))
    write_weights(request.out / BEST, training.best)
    if held_ids:
        write_weights(request.out / VALIDATED, training.validated)
        chosen, last = (Choice(**choice) for choice in (training.choice, training.last_choice))
        Validation(tuple(held_ids), chosen, last).write(request.out)
    write_history(request.out, training.reports)
    recipe = request.recipe.to_dict()
    write_description(request.out, request.model, request.model_settings, recipe, request.code)
