"""Monitoring of a training: its log, its progress, and its use of the machine. Only the first rank reports.

Events come from the caller; ``nrdfer.tracking.background_upload`` uploads the log.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from nrdfer.models.saved_model import EpochReport
from nrdfer.tracking.training_log import LOG, TrainingLog, read_log
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.progress import Meter, Progress, Report
from nrdfer.training.system_metrics import SystemSampler


class Watch:
    """The log of one training, open inside its ``with`` block, and the callbacks of its caller.

    Args:
        workdir: holds the log.
        epochs: of the training.
        batches: of an epoch.
        tells: whether this is the rank that writes the log.
        gpus: to sample, beside the machine.
        progress: called after each batch.
    """

    def __init__(
        self, workdir: Path, epochs: int, batches: int, *, tells: bool, gpus: Sequence[int], progress: Report | None
    ) -> None:
        self.epochs, self.batches, self.tells, self.progress = epochs, batches, tells, progress
        self._path, self._gpus = workdir / LOG, gpus
        self._log: TrainingLog | None = None
        self._open = ExitStack()
        self._meter = Meter(epochs * batches)
        self._clips = 0  # seen by this process
        self._since = time.monotonic()

    def __enter__(self) -> Self:
        if self.tells:
            self._log = self._open.enter_context(TrainingLog(self._path))
            self._open.enter_context(SystemSampler(self._path, gpus=self._gpus))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def tell(self, kind: str, **fields: Any) -> None:
        """Write a line to the log."""
        if self._log is not None:
            self._log.write(kind, **fields)

    def sync(self) -> None:
        """Flush the log to the disk."""
        if self._log is not None:
            self._log.sync()

    def begin(self, step: int) -> None:
        """Record that training begins or continues after `step` batches."""
        self._meter.tick(step, self._clips)
        self._since = time.monotonic()

    def waiting_share(self, waited: float) -> float:
        """Share of the time since the last call that was spent waiting (`waited` seconds)."""
        now = time.monotonic()
        share = min(1.0, waited / max(now - self._since, 1e-9))
        self._since = now
        return share

    def batch(self, epoch: int, step: int, clips: int, loss: float, lr: float, waiting_share: float) -> None:
        """Record one training batch; `step` counts the training's batches from 1."""
        self._clips += clips
        self._meter.tick(step, self._clips)
        rate = self._meter.clips_per_second
        seen = Progress(
            epoch, self.epochs, step, self.epochs * self.batches, rate, self._meter.eta_seconds, loss, waiting_share
        )
        self.tell("batch", lr=lr, **dataclasses.asdict(seen))
        if self.progress is not None and self.tells:
            self.progress(seen)


class Follower:
    """Follows a training that other processes run, by its log.

    Args:
        workdir: holds the log.
        callbacks: called with each epoch, and with the newest batch.
    """

    def __init__(self, workdir: Path, callbacks: TrainingCallbacks) -> None:
        self._path, self._callbacks = workdir / LOG, callbacks
        self._offset = self._path.stat().st_size if self._path.is_file() else 0  # what is there is of an earlier start

    def look(self) -> None:
        """Report what has happened since the last call."""
        newest: Mapping[str, Any] | None = None
        while True:
            lines, self._offset = read_log(self._path, self._offset)
            if not lines:
                break
            for line in lines:
                if line["kind"] == "batch":
                    newest = line
                elif line["kind"] == "epoch" and self._callbacks.on_epoch is not None:
                    self._callbacks.on_epoch(EpochReport(**_fields_of(EpochReport, line)))
        if newest is not None and self._callbacks.on_batch is not None:
            self._callbacks.on_batch(Progress(**_fields_of(Progress, newest)))


def _fields_of(kind: type[EpochReport] | type[Progress], line: Mapping[str, Any]) -> dict[str, Any]:
    """Values that a line of the log holds for a dataclass's fields; one with a default may be absent."""
    return {field.name: line[field.name] for field in dataclasses.fields(kind) if field.name in line}
