"""Step: train the network on one fold, or fine-tune it on AFEW from a DFEW checkpoint."""

from __future__ import annotations

import dataclasses
from typing import Any

from nrdfer.models.saved_model import EpochReport, best_epoch, read_history
from nrdfer.training.callbacks import SILENT, TrainingCallbacks
from nrdfer.training.request import TrainingRequest


def train_fold(request: TrainingRequest, callbacks: TrainingCallbacks = SILENT) -> dict[str, Any]:
    """Train one fold; continues from the checkpoint in the request's `workdir` if there is one.

    On several devices each batch is shared among as many processes; of several GPUs the least used ones are taken.

    Args:
        request: the training; its engine says how many devices are wanted.
        callbacks: called in this process, whichever process trains.

    Returns:
        Figures of the last epoch and of the best one.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved, and the same call continues.
        NrdferError: see `nrdfer.training.loop.train`.
    """
    from nrdfer.runtime.placement import places
    from nrdfer.training.launch import train_on_ranks
    from nrdfer.training.loop import train
    from nrdfer.training.monitor import Follower

    with places(request.engine) as place:
        placed = dataclasses.replace(request, engine=dataclasses.replace(request.engine, devices=place.world))
        if place.world == 1:
            train(placed, callbacks)
        else:
            follower = Follower(placed.workdir, callbacks)
            train_on_ranks(placed, place.world, place.visible, follower.look)
    reports = [EpochReport(**row) for row in read_history(request.out)]
    figures = {"last": reports[-1], "best": best_epoch(reports)}
    return {"epochs": len(reports), **{name: dataclasses.asdict(report) for name, report in figures.items()}}
