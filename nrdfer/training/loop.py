"""The training loop: read it top to bottom in one sitting.

Deterministic on one machine: a training that was killed and continued ends with the same weights and history, bit
for bit, as one that was not. What the files are called belongs to ``results``, what is learnt from to
``nrdfer.clips``. Shapes: B clips, T frames, C channels, H x W, K classes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nrdfer.clips.dataset import ClipDataset, ClipSource
from nrdfer.devices import pick_device
from nrdfer.errors import TrainingError
from nrdfer.evaluation.evaluate import evaluate
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.network import ClipNetwork
from nrdfer.models.registry import build_model
from nrdfer.training.checkpoint import load_newest, save_checkpoint
from nrdfer.training.engine import Engine
from nrdfer.training.optimiser import make_optimiser, make_schedule
from nrdfer.training.recipe import Recipe
from nrdfer.training.results import (
    BEST,
    LAST,
    EpochReport,
    best_epoch,
    cpu_weights,
    load_weights,
    write_description,
    write_history,
    write_weights,
)

#: Where in an epoch a training stands; fields of `_Training`.
_PLACE = ("epoch", "batches_done", "loss_sum", "correct", "lr")


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
    progress: Callable[[int, int], None] | None = None,
) -> TrainingResult:
    """Train one network on one split; continues from the newest checkpoint in `workdir`.

    Args:
        model_name: name in `nrdfer.models.registry`.
        model_settings: the network's settings.
        recipe: what is learnt.
        engine: how it is computed.
        source: where clips are read; frames are decoded batch by batch.
        train_ids: clips to learn from; their order does not matter.
        test_ids: clips to test on after every epoch; they decide nothing but which epoch is called best.
        workdir: checkpoints, and the history so far.
        out: receives ``last.safetensors``, ``best.safetensors``, ``history.jsonl`` and ``model.json``.
        initial_weights: safetensors of the same network to start from.
        on_epoch: called after each epoch, when its checkpoint and history are on disk.
        progress: called with (batches done, batches).

    Raises:
        TrainingError: a clip in both lists, a loss that is not a number, a checkpoint of another training.
        WeightsError: `initial_weights` do not fit the network.
    """
    _check_split(train_ids, test_ids)
    workdir.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    engine = engine or Engine()
    device = _make_deterministic(recipe, engine)
    model = build_model(model_name, model_settings)
    sampling = recipe.sampling
    if sampling.frames != model.settings.frames:
        raise TrainingError(
            f"the recipe samples {sampling.segments} x {sampling.duration} = {sampling.frames} frames, but the network "
            f"takes {model.settings.frames}; change the sampling's segments and duration, or the network's frames"
        )
    if initial_weights is not None:
        load_weights(model, initial_weights)
    data = ClipDataset(
        source,
        sorted(train_ids),
        image_size=model.settings.image_size,
        sampling=sampling,
        seed=recipe.seed,
        augment=recipe.augment,
    )
    fingerprint = _fingerprint(model_name, model_settings, recipe, engine, train_ids, test_ids, initial_weights)
    training = _Training(model.to(device), recipe, engine, data, fingerprint, workdir)
    training.resume()

    while training.epoch <= recipe.epochs:
        training.finish_epoch(progress)
        tested = fold_metrics(evaluate(model, source, test_ids, sampling=sampling))
        report = training.close_epoch(tested)
        if on_epoch is not None:
            on_epoch(report)

    write_weights(out / LAST, cpu_weights(model))
    write_weights(out / BEST, training.best)
    write_history(out, training.reports)
    write_description(out, model_name, model_settings, dataclasses.asdict(recipe))
    return TrainingResult(out, tuple(training.reports))


class _Training:
    """Everything that changes while training, and therefore goes into a checkpoint.

    An epoch may be finished in parts: `batches_done` of it, with their sums of loss and correct answers.
    """

    def __init__(
        self,
        model: ClipNetwork,
        recipe: Recipe,
        engine: Engine,
        data: ClipDataset,
        fingerprint: str,
        workdir: Path,
    ) -> None:
        self.model, self.recipe, self.engine, self.data = model, recipe, engine, data
        self.fingerprint, self.workdir = fingerprint, workdir
        self.device = next(model.parameters()).device
        self.batches = math.ceil(len(data) / recipe.batch)
        self.optimiser = make_optimiser(model, recipe)
        self.scheduler = make_schedule(self.optimiser, recipe, self.batches)
        self.reports: list[EpochReport] = []
        self.best: dict[str, torch.Tensor] = {}
        self._begin_epoch(1)

    def _begin_epoch(self, number: int) -> None:
        self.epoch, self.batches_done = number, 0
        self.loss_sum, self.correct = 0.0, 0
        self.lr = float(self.optimiser.param_groups[0]["lr"])

    def finish_epoch(self, progress: Callable[[int, int], None] | None) -> None:
        """Learn from the remaining batches of the current epoch."""
        self.model.train()
        recipe, every = self.recipe, self.engine.checkpoint_every_batches
        order = self.data.order(self.epoch, recipe.oversample)
        while self.batches_done < self.batches:
            self._learn(order[self.batches_done * recipe.batch : (self.batches_done + 1) * recipe.batch])
            self.batches_done += 1
            if recipe.schedule == "onecycle":
                self.scheduler.step()
            if progress is not None:
                progress((self.epoch - 1) * self.batches + self.batches_done, recipe.epochs * self.batches)
            if every and self.batches_done % every == 0 and self.batches_done < self.batches:
                self.save()
        if recipe.schedule != "onecycle":
            self.scheduler.step()

    def _learn(self, positions: npt.NDArray[np.int64]) -> None:
        """One step of the optimiser."""
        x, y = self.data.batch(positions, self.epoch)
        x_BTCHW, y_B = torch.from_numpy(x).to(self.device), torch.from_numpy(y).to(self.device)
        loss, logits_BK = self.model.objective(x_BTCHW, y_B)
        if not torch.isfinite(loss):
            clips = ", ".join(self.data.clip_ids[p] for p in positions[:4])
            raise TrainingError(
                f"the loss became {loss.item()} in epoch {self.epoch}, batch {self.batches_done + 1} of "
                f"{self.batches} (lr {self.optimiser.param_groups[0]['lr']:g}; clips {clips} ...). "
                "Lower lr, or set clip_norm in the recipe"
            )
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimiser.step()
        self.loss_sum += loss.item() * len(positions)
        self.correct += int((logits_BK.argmax(-1) == y_B).sum())

    def close_epoch(self, tested: Mapping[str, Any]) -> EpochReport:
        """Note the epoch's figures, keep its weights if they are the best so far, and save."""
        report = EpochReport(
            epoch=self.epoch,
            lr=self.lr,
            train_loss=self.loss_sum / len(self.data),
            train_war=self.correct / len(self.data),
            test_war=tested["war"],
            test_uar=tested["uar"],
            test_war_unfiltered=tested["war_unfiltered"],
            test_uar_unfiltered=tested["uar_unfiltered"],
        )
        self.reports.append(report)
        if best_epoch(self.reports) is report:
            self.best = cpu_weights(self.model)
        self._begin_epoch(self.epoch + 1)
        self.save()
        write_history(self.workdir, self.reports)
        return report

    def save(self) -> None:
        """Publish a checkpoint."""
        done = (self.epoch - 1) * self.batches + self.batches_done
        state = {
            "fingerprint": self.fingerprint,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "rng": torch.get_rng_state(),
            "rng_cuda": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
            "reports": [dataclasses.asdict(report) for report in self.reports],
            "best": self.best,
            "place": {name: getattr(self, name) for name in _PLACE},
        }
        save_checkpoint(self.workdir, done, state)

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one."""
        state = load_newest(self.workdir, self.fingerprint)
        if state is not None:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.scheduler.load_state_dict(state["scheduler"])
            torch.set_rng_state(state["rng"])
            if state["rng_cuda"] is not None and self.device.type == "cuda":
                torch.cuda.set_rng_state(state["rng_cuda"])
            self.reports = [EpochReport(**row) for row in state["reports"]]
            self.best = state["best"]
            for name in _PLACE:
                setattr(self, name, state["place"][name])
        # The history follows the checkpoint: a kill between the two must leave no epoch out, and none in twice.
        write_history(self.workdir, self.reports)


def _check_split(train_ids: Sequence[str], test_ids: Sequence[str]) -> None:
    for name, ids in (("training", train_ids), ("test", test_ids)):
        if not ids or len(set(ids)) != len(ids):
            raise TrainingError(f"the {name} list has {len(ids)} clips, {len(set(ids))} different; need each once")
    shared = sorted(set(train_ids) & set(test_ids))
    if shared:
        raise TrainingError(f"{len(shared)} clips are to be trained on and tested on, e.g. {shared[0]}")


def _make_deterministic(recipe: Recipe, engine: Engine) -> torch.device:
    # cuBLAS is only deterministic with a fixed workspace, set before it starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    if engine.threads:
        torch.set_num_threads(engine.threads)
    torch.manual_seed(recipe.seed)
    return pick_device(engine.device)


def _fingerprint(
    model_name: str,
    model_settings: Mapping[str, Any],
    recipe: Recipe,
    engine: Engine,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    initial_weights: Path | None,
) -> str:
    """Identifies a training: two with the same fingerprint and clips of the same content end with the same weights."""
    initial = None if initial_weights is None else hashlib.sha256(initial_weights.read_bytes()).hexdigest()
    settings = dataclasses.asdict(recipe)
    told = [model_name, dict(model_settings), settings, engine.numerics(), sorted(train_ids), sorted(test_ids), initial]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
