"""Epochs: the state of a training batch by batch, and the checkpoints from which it can continue.

Network and data are assembled by ``loop``; one step belongs to ``learner``. Shapes: B clips (this rank's), K classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import emotions_in
from nrdfer.core.errors import TrainingError, TrainingStopped
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.loader import Batch, BatchLoader
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.evaluation.validation import choose
from nrdfer.models.saved_model import EpochReport, best_epoch, cpu_weights, validated_epoch, write_history
from nrdfer.runtime.determinism import seed_step
from nrdfer.training.checkpoint import load_newest, save_checkpoint
from nrdfer.training.key import CheckpointIdentity
from nrdfer.training.learner import Learner
from nrdfer.training.monitor import Watch
from nrdfer.training.signals import StopRequest

#: Position of a training within an epoch; fields of `Training`.
_PLACE = ("epoch", "batches_done", "loss_sum", "correct", "lr")
#: Its fields that are empty unless clips are held out.
_CHOSEN = ("validated", "choice", "last_choice")


@dataclass(frozen=True)
class _Step:
    """One completed step, whose figures may still be in transit from the GPU."""

    batch: int  # of the epoch, counts from 0
    positions: npt.NDArray[np.int64]
    figures_2: Tensor  # sum of the clips' losses, correct answers
    lr: float
    waited: float  # seconds, for the batch


def epoch_batches(data: ClipDataset, epoch: int, recipe: Recipe) -> list[npt.NDArray[np.int64]]:
    """Positions of the clips of every batch of an epoch; the last batch may be smaller."""
    order = data.order(epoch, recipe.oversample)
    return [order[start : start + recipe.batch] for start in range(0, len(order), recipe.batch)]


class Training:
    """State of a training run, and everything else that a checkpoint holds.

    An epoch may be finished in parts: `batches_done` of it, with their sums of loss and correct answers.
    """

    def __init__(
        self,
        learner: Learner,
        loader: BatchLoader,
        identity: CheckpointIdentity,
        workdir: Path,
        watch: Watch,
        stop: StopRequest,
    ) -> None:
        self.learner, self.loader, self.data = learner, loader, loader.data
        self.recipe, self.engine, self.ranks = learner.recipe, learner.engine, learner.ranks
        self.identity, self.workdir, self.watch, self.stop = identity, workdir, watch, stop
        self.batches = watch.batches
        self.reports: list[EpochReport] = []
        self.best: dict[str, Tensor] = {}
        self.validated: dict[str, Tensor] = {}  # weights of the best epoch on held-out clips
        self.choice: dict[str, Any] = {}  # what was chosen for them
        self.last_choice: dict[str, Any] = {}  # and for the last epoch
        self.saved_at = time.monotonic()
        self._begin_epoch(1)

    @property
    def step(self) -> int:
        """Batches done since the training began."""
        return (self.epoch - 1) * self.batches + self.batches_done

    def _begin_epoch(self, number: int) -> None:
        self.epoch, self.batches_done = number, 0
        self.loss_sum, self.correct = 0.0, 0
        self.lr = self.learner.lr

    def finish_epoch(self) -> None:
        """Train on the remaining batches of the current epoch.

        Raises:
            TrainingError: a loss that is not a number.
            TrainingStopped: on request; the state is saved.
        """
        ranks = self.ranks
        self.learner.model.train()
        self.watch.begin(self.step)
        left = epoch_batches(self.data, self.epoch, self.recipe)[self.batches_done :]
        made: list[_Step] = []
        for positions, loaded in zip(left, self.loader.batches(ranks.shares(left), self.epoch), strict=True):
            made.append(self._learn(positions, loaded))
            save, stop = self._is_time_to_save(), ranks.any(bool(self.stop))
            if save or stop or len(made) == self.learner.patience or self.batches_done == self.batches:
                self._settle(made)
            if save:
                self.save()
            if stop:
                self._leave()
        ranks.same_buffers(self.learner.model)

    def _learn(self, positions: npt.NDArray[np.int64], loaded: Batch) -> _Step:
        """One step of the optimiser with a batch, of which `loaded` is this rank's share."""
        learner, ranks = self.learner, self.ranks
        lr = learner.lr
        seed_step(self.recipe.seed, self.epoch, self.batches_done, ranks.rank)
        loss, logits_BK = learner.loss(loaded.x_BTCHW, loaded.y_B)
        mine = len(ranks.share(positions))
        correct = (logits_BK.detach().argmax(-1) == loaded.y_B).sum() * (mine > 0)
        figures_2 = ranks.total(torch.stack([loss.detach().double() * mine, correct.double()]))
        step = _Step(self.batches_done, positions, figures_2, lr, loaded.waited)
        if learner.patience == 1:
            self._check(step)  # before the weights are spoilt
        learner.update(loss, mine * ranks.world / len(positions))
        if self.recipe.schedule == "onecycle":
            learner.scheduler.step()
        self.batches_done += 1
        return step

    def _settle(self, made: list[_Step]) -> None:
        """Take the figures of the steps made since the last call, and report them."""
        share = self.watch.waiting_share(sum(step.waited for step in made))
        for step in made:
            loss_sum, correct = self._check(step)
            self.loss_sum += loss_sum
            self.correct += int(correct)
            clips, number = len(step.positions), (self.epoch - 1) * self.batches + step.batch + 1
            self.watch.batch(self.epoch, number, clips, loss_sum / clips, step.lr, share)
        made.clear()

    def _check(self, step: _Step) -> tuple[float, float]:
        """A step's figures, checked for a loss that is not a number."""
        loss_sum, correct = step.figures_2.tolist()
        if math.isfinite(loss_sum):
            return loss_sum, correct
        clips = ", ".join(self.data.clip_ids[p] for p in step.positions[:4])
        raise TrainingError(
            f"the loss became {loss_sum} in epoch {self.epoch}, batch {step.batch + 1} of {self.batches} "
            f"(lr {step.lr:g}; clips {clips} ...). Lower lr, or set clip_norm in the recipe"
        )

    def close_epoch(
        self,
        tested: Mapping[str, Any],
        on_epoch: Callable[[EpochReport], None] | None,
        held_out: pd.DataFrame | None = None,
    ) -> None:
        """Record the epoch's figures, keep its weights if they are the best so far, and save.

        Args:
            tested: metrics of the test clips.
            on_epoch: called once all is on disk.
            held_out: predictions of clips that were held out of the training clips, if any were.
        """
        network = self.learner.model.settings.to_dict()
        checked = {} if held_out is None else fold_metrics(held_out, emotions_in(network))
        report = EpochReport(
            epoch=self.epoch,
            lr=self.lr,
            train_loss=self.loss_sum / len(self.data),
            train_war=self.correct / len(self.data),
            test_war=tested["war"],
            test_uar=tested["uar"],
            test_war_unfiltered=tested["war_unfiltered"],
            test_uar_unfiltered=tested["uar_unfiltered"],
            validation_war=checked.get("war"),
            validation_uar=checked.get("uar"),
        )
        self.reports.append(report)
        if self.ranks.first and best_epoch(self.reports) is report:
            self.best = cpu_weights(self.learner.model)
        if held_out is not None:
            self.last_choice = asdict(choose(held_out, network, self.epoch))
            if validated_epoch(self.reports) is report:
                self.choice = self.last_choice
                self.validated = cpu_weights(self.learner.model) if self.ranks.first else {}
        if self.recipe.schedule != "onecycle":
            self.learner.scheduler.step()
        self._begin_epoch(self.epoch + 1)
        # before the checkpoint: a kill between the two must leave no epoch out of the log; one in twice does no harm
        self.watch.tell("epoch", step=self.step, **report.to_dict())
        self.save()
        if self.ranks.first:
            write_history(self.workdir, self.reports)
        if on_epoch is not None and self.ranks.first:
            on_epoch(report)
        if self.epoch <= self.recipe.epochs and self.ranks.any(bool(self.stop)):
            self._leave()

    def heed_stop(self) -> None:
        """Stop during testing, too, if requested: testing then starts again."""
        if self.ranks.world == 1 and self.stop:  # several ranks test different numbers of batches
            self._leave()

    def _leave(self) -> None:
        self.save()
        reason = self.stop.name or "another rank"
        self.watch.tell("stop", step=self.step, reason=reason)
        raise TrainingStopped(
            f"stopped by {reason} in epoch {self.epoch}, after batch {self.batches_done} of {self.batches}; everything "
            f"is saved in {self.workdir}, and the same command continues"
        )

    def _is_time_to_save(self) -> bool:
        every, minutes = self.engine.checkpoint_every_batches, self.engine.checkpoint_every_minutes
        if minutes and time.monotonic() - self.saved_at > 60 * minutes:
            return True
        return bool(every) and self.batches_done % every == 0 and self.batches_done < self.batches

    def save(self) -> None:
        """Publish a checkpoint."""
        if self.ranks.first:
            state = {
                **self.learner.state(),
                "reports": [report.to_dict() for report in self.reports],
                "best": self.best,
                **{name: getattr(self, name) for name in _CHOSEN if getattr(self, name)},
                "place": {name: getattr(self, name) for name in _PLACE},
            }
            self.watch.sync()  # a power cut must leave no step that is done out of the log
            save_checkpoint(self.workdir, self.step, self.identity, state)
        self.saved_at = time.monotonic()

    def resume(self) -> None:
        """Continue from the newest checkpoint, if there is one.

        Raises:
            TrainingError: it is another training's, or the ranks see different ones.
        """
        state = load_newest(self.workdir, self.identity)
        if state is not None:
            self.learner.load(state)
            self.reports = [EpochReport(**row) for row in state["reports"]]
            self.best = state["best"]
            for name in _CHOSEN:
                setattr(self, name, state.get(name, {}))
            for name in _PLACE:
                setattr(self, name, state["place"][name])
        steps = self.ranks.gather(self.step)
        if len(set(steps)) > 1:
            raise TrainingError(
                f"the processes of this training found different checkpoints in {self.workdir} (after batches "
                f"{', '.join(map(str, steps))}); give --out a folder that all machines share"
            )
        if self.ranks.first:
            # The history follows the checkpoint: a kill between the two must leave no epoch out, and none in twice.
            write_history(self.workdir, self.reports)
