"""Step: train one fold while MLflow shows it, whether or not MLflow's server is there.

What belongs here: what surrounds a training that is watched: its run's identity, the delivery, the log in the
artefact. What does not: the training (``fold``), and what is delivered how
(``nrdfer.tracking.background_upload``).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.training_log import LOG
from nrdfer.training.fold import train_fold
from nrdfer.training.progress import Report

_log = logging.getLogger(__name__)


def train_tracked(
    profile: Profile,
    corpus: str,
    shards: Path,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    work: Path,
    out: Path,
    *,
    tracking: Tracking,
    facts: RunFacts,
    initial_weights: Path | None = None,
    on_epoch: Callable[[Mapping[str, Any]], None] | None = None,
    progress: Report | None = None,
    decoding: Callable[[int, int], None] | None = None,
    wait: float = 120.0,
    log: logging.Logger = _log,
) -> dict[str, Any]:
    """Train one fold as `train_fold` does, and bring its log into MLflow meanwhile.

    Args:
        profile: names the model, its settings and the recipe.
        corpus: ``dfew`` or ``afew``; selects the recipe.
        shards: folder of the shards.
        train_ids: clips to learn from.
        test_ids: clips to test on after every epoch.
        work: folder of the checkpoints and of the log, which survive a crash.
        out: receives the weights, the history, and the log (``train.jsonl``).
        tracking: the MLflow store.
        facts: what MLflow is told of the training; the digest should be the artefact's.
        initial_weights: weights to start from.
        on_epoch: called after each epoch with its figures.
        progress: called after every batch.
        decoding: called with (clips decoded, clips) while the engine's cache is filled.
        wait: seconds that a finished training waits for a server that is away, before it leaves the rest for later.
        log: told when the server goes and comes back.

    Returns:
        As `train_fold`, and ``mlflow_run_id``: empty if the server never answered; the run is then made later, and
        found by the digest.
    """
    with Delivery(tracking, work / LOG, facts, wait=wait, log=log) as delivery:
        result = train_fold(
            profile,
            corpus,
            shards,
            train_ids,
            test_ids,
            work,
            out,
            initial_weights=initial_weights,
            on_epoch=on_epoch,
            progress=progress,
            decoding=decoding,
        )
    shutil.copyfile(work / LOG, out / LOG)  # the work folder goes when the artefact is published
    return {**result, "mlflow_run_id": delivery.run_id or ""}
