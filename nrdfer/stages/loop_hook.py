"""Stands in for the training loop's own log lines and progress, until the loop writes them.

What belongs here: nothing more. The loop's lines replace this module and its three uses in ``train``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

from nrdfer.training.log import LOG, TrainingLog, read_all
from nrdfer.training.progress import Meter, Progress, Report
from nrdfer.training.recipe import Recipe
from nrdfer.training.results import HISTORY


class LoopHook:
    """Writes ``epoch`` lines from the history file, and turns counted batches into `Progress`."""

    def __init__(self, work: Path, recipe: Recipe, clips: int, progress: Report | None) -> None:
        self._work, self._recipe, self._progress = work, recipe, progress
        self._batches = math.ceil(clips / recipe.batch)
        self._meter = Meter(self._batches * recipe.epochs)

    def batch_done(self, done: int, total: int) -> None:
        """Report progress."""
        self._meter.tick(done, done * self._recipe.batch)
        if self._progress is not None:
            epoch = math.ceil(done / self._batches)
            rate, eta = self._meter.clips_per_second, self._meter.eta_seconds
            self._progress(Progress(epoch, self._recipe.epochs, done, total, rate, eta))

    def epoch_done(self) -> None:
        """Log every epoch of the history that the log lacks."""
        history = [json.loads(line) for line in (self._work / HISTORY).read_text().splitlines()]
        with TrainingLog(self._work / LOG) as log:
            logged = {line["epoch"] for line in read_all(log.path) if line["kind"] == "epoch"}
            for row in history:
                if row["epoch"] not in logged:
                    log.write("epoch", step=row["epoch"] * self._batches, **row)
