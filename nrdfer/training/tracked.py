"""Step: train one fold while MLflow shows it, whether or not MLflow's server is there.

What belongs here: what surrounds a training that is watched: its run's identity, the delivery, the log in the
artefact. What does not: the training (``fold``), and what is delivered how
(``nrdfer.tracking.background_upload``).
"""

from __future__ import annotations

import logging
import shutil
from typing import Any

from nrdfer.tracking.background_upload import Delivery
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.log_uploader import RunFacts
from nrdfer.tracking.training_log import LOG
from nrdfer.training.callbacks import SILENT, TrainingCallbacks
from nrdfer.training.fold import train_fold
from nrdfer.training.request import TrainingRequest

_log = logging.getLogger(__name__)


def train_tracked(
    request: TrainingRequest,
    callbacks: TrainingCallbacks = SILENT,
    *,
    tracking: Tracking,
    facts: RunFacts,
    wait: float = 120.0,
    log: logging.Logger = _log,
) -> dict[str, Any]:
    """Train one fold as `train_fold` does, and bring its log into MLflow meanwhile.

    Args:
        request: the training; its `out` receives the log (``train.jsonl``), too.
        callbacks: called while it trains.
        tracking: the MLflow store.
        facts: what MLflow is told of the training; the digest should be the artefact's.
        wait: seconds that a finished training waits for a server that is away, before it leaves the rest for later.
        log: told when the server goes and comes back.

    Returns:
        As `train_fold`, and ``mlflow_run_id``: empty if the server never answered; the run is then made later, and
        found by the digest.
    """
    written = request.workdir / LOG
    with Delivery(tracking, written, facts, wait=wait, log=log) as delivery:
        result = train_fold(request, callbacks)
    shutil.copyfile(written, request.out / LOG)  # the work folder goes when the artefact is published
    return {**result, "mlflow_run_id": delivery.run_id or ""}
