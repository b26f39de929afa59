"""Repair: recognise runs whose process was killed, and clean up what they left behind.

A SIGKILLed run stays STARTED forever, keeps its pool slots, so that the next run would wait forever, leaves its MLflow
runs RUNNING, and may leave processes. The process of every run holds a lease (``run_lease.py``); at the start of
another run, or by ``python -m pipelines.repair``, what belongs to a lease that is over is cleaned up, on whatever host
its holder was. A run whose lease cannot be seen from here is never touched. Repairing is safe to repeat: the end of a
dead run is reported last.
"""

from __future__ import annotations

import logging

import dagster as dg

from nrdfer.core import file_locks, leases, paths
from nrdfer.core.processes import end_orphans
from nrdfer.tracking.open_runs import PIPELINES
from pipelines import run_lease

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_MESSAGE = "The process of this run was killed; found at the start of a later run."


def repair_dead_runs(instance: dg.DagsterInstance, log: logging.Logger) -> list[str]:
    """End dead runs' orphans, free their pool slots, close their MLflow runs, report them failed; returns their ids."""
    with file_locks.held(paths.home() / "repair.lock"):
        for pid, run_id in end_orphans():
            log.warning(f"process {pid}, left behind by run {run_id[:8]}, is ended")
        dead = run_lease.dead(instance, _unfinished(instance))
        for run in dead:
            _close_tracking(run.run_id, _status(run), log)
            free_slots(instance, run.run_id)
            _report(instance, run)
            log.warning(f"run {run.run_id[:8]} was killed: reported failed, its pool slots freed")
        _free_stale_slots(instance, log)
        _upload_pending(log)
        leases.sweep()
    return [run.run_id for run in dead]


def free_slots(instance: dg.DagsterInstance, run_id: str) -> None:
    """Release the pool slots that a run holds, and its places in their queues."""
    if instance.event_log_storage.supports_global_concurrency_limits:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)


def close_tracking(run_id: str, status: str, log: logging.Logger) -> None:
    """Close the MLflow runs of a Dagster run; does not import MLflow if there are none on this machine.

    Unreachable tracking does not fail a run: that is logged, and the runs are closed when it is back.
    """
    if PIPELINES.read(run_id) is not None:
        from nrdfer.tracking.client import Tracking
        from nrdfer.tracking.pending_uploads import close_pipeline

        close_pipeline(Tracking(), run_id, status, log)


def _unfinished(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    return list(instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)))


def _status(run: dg.DagsterRun) -> str:
    """MLflow status of a dead run: KILLED if it was already being terminated, else FAILED."""
    return "KILLED" if run.status is dg.DagsterRunStatus.CANCELING else "FAILED"


def _report(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    if run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, _MESSAGE)
    else:
        instance.report_run_failed(run, _MESSAGE)


def _close_tracking(run_id: str, status: str, log: logging.Logger) -> None:
    if PIPELINES.read(run_id) is not None:
        from nrdfer.tracking.client import Tracking
        from nrdfer.tracking.pending_uploads import close_pipeline

        close_pipeline(Tracking(), run_id, status, log, killed=True)


def _free_stale_slots(instance: dg.DagsterInstance, log: logging.Logger) -> None:
    """Free the pool slots of runs that have ended or were deleted.

    A run can end in Dagster's eyes while its process continues (the UI's "force termination"); such a one keeps its
    slots, and so does one whose lease cannot be seen from here.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    infos = storage.get_concurrency_infos(sorted(storage.get_concurrency_keys())).values()
    holders = {slot.run_id for info in infos for slot in info.claimed_slots}
    holders |= {step.run_id for info in infos for step in info.pending_steps}
    for run_id in sorted(holders):
        run = instance.get_run_by_id(run_id)
        if run is None or (run.is_finished and run_lease.is_process_over(instance, run)):
            free_slots(instance, run_id)
            log.warning(f"pool slots of run {run_id[:8]}, which has ended, are freed")


def _upload_pending(log: logging.Logger) -> None:
    """Close the MLflow runs of killed processes that Dagster does not know, or whose end it has already recorded."""
    from nrdfer.tracking.client import Tracking
    from nrdfer.tracking.pending_uploads import is_anything_left, upload_pending

    if is_anything_left():
        upload_pending(Tracking(), log)


def main() -> None:
    """Repair what the instance of this folder knows, and report it: before a server starts, for example."""
    from pipelines.dagster_internals import get_possibly_temporary_instance_for_cli

    log, quiet = logging.getLogger("nrdfer.repair"), logging.getLogger("nrdfer.repair.instance")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)
    quiet.setLevel(logging.ERROR)  # it would explain its temporary folder
    with get_possibly_temporary_instance_for_cli("repair", logger=quiet) as instance:
        repaired = repair_dead_runs(instance, log)
    log.info(f"runs that were killed: {len(repaired)}")


if __name__ == "__main__":
    main()
