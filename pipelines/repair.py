"""Repair: recognise runs whose process was killed, and clear what they left behind.

A SIGKILLed run stays STARTED for ever and keeps its pool slots, so the next run would wait without end. Every run
signs itself with host, process id and the process's start time; at its own start it looks for signed runs on this
host whose process is gone, reports them failed, frees their slots and closes their MLflow runs. A run on another
host is never touched.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import dagster as dg

from nrdfer import paths
from nrdfer.processes import is_alive, this_process

if TYPE_CHECKING:
    from dagster._core.log_manager import DagsterLogManager

TAG_HOST = "nrdfer/host"
TAG_PROCESS = "nrdfer/process"  # "<pid>:<start time>": a pid alone may be taken by another process later
_LIVE = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]


def sign_run(instance: dg.DagsterInstance, run_id: str) -> None:
    """Write into the run's tags which process executes it."""
    pid, started = this_process()
    instance.add_run_tags(run_id, {TAG_HOST: socket.gethostname(), TAG_PROCESS: f"{pid}:{started:.2f}"})


def repair_dead_runs(instance: dg.DagsterInstance, log: DagsterLogManager) -> list[str]:
    """Report dead runs of this host failed, free their pool slots, close their MLflow runs; returns their ids."""
    repaired = []
    with paths.file_lock(paths.home() / "repair.lock"):
        for run in instance.get_runs(dg.RunsFilter(statuses=_LIVE, tags={TAG_HOST: socket.gethostname()})):
            signature = run.tags.get(TAG_PROCESS)
            if signature is None:
                continue
            pid, started = signature.split(":")
            if is_alive(int(pid), float(started)):
                continue
            instance.report_run_failed(run, "The process of this run was killed; found at the start of a later run.")
            free_slots(instance, run.run_id)
            close_tracking(run.run_id, "FAILED")
            log.warning(f"run {run.run_id[:8]} was killed: reported failed, its pool slots freed")
            repaired.append(run.run_id)
    return repaired


def free_slots(instance: dg.DagsterInstance, run_id: str) -> None:
    """Give back the pool slots that a run holds."""
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def close_tracking(run_id: str, status: str) -> None:
    """Close the MLflow runs of a Dagster run; does not import MLflow if there are none on this machine.

    Tracking that cannot be reached does not fail a run: that is said, and they are closed when it is back.
    """
    if (paths.home() / "pipeline-runs" / run_id).is_file():
        from nrdfer.left_over import close_pipeline
        from nrdfer.tracking import Tracking

        close_pipeline(Tracking(), run_id, status)
