"""The end of a step whose run has ended: at once on the run's own host, by regular questions on any other.

On the run's own host the kernel ends a step with its run. A step that an executor started elsewhere has no such parent,
and one whose run was forced to end in the UI has a living one; so a thread asks, tells the process to save its work as
SIGTERM does, and ends it after a grace period. Keep out: who holds a run's lease (``pipelines/run_lease.py``), and what
saving means (``nrdfer.training.signals``).
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time

import dagster as dg
import psutil

from nrdfer.core import leases
from nrdfer.core.errors import NrdferError
from nrdfer.core.processes import MARK, die_with_run, home_of_run, mark

#: Of a run: the id of the project's folder that has its lease, and the run's own id, because Dagster copies the tags of
#: a run that it executes again.
TAG_LEASE = "nrdfer/lease"
#: Environment variable of a step that a cluster's scheduler runs, and may end.
CLUSTER_STEP = "NRDFER_CLUSTER_STEP"
EVERY = 30.0  # seconds between two questions
GRACE = 60.0  # seconds for a training to save
_log = logging.getLogger(__name__)
_watched: set[str] = set()


def lease_tag(run_id: str) -> dict[str, str]:
    """The tag of a run whose process holds its lease in this project's folder."""
    return {TAG_LEASE: f"{leases.home_id()} {run_id}"}


def home_of_lease(run: dg.DagsterRun) -> str | None:
    """Id of the project's folder that has the run's lease; None if its process has not taken one."""
    home, _, run_id = run.tags.get(TAG_LEASE, "").partition(" ")
    return home if run_id == run.run_id else None


def end_with_run(context: dg.InitResourceContext) -> None:
    """In a step's process: end when its run does. Nothing where a step runs in the run's own process."""
    import multiprocessing

    run, instance = context.run, context.instance
    if run is None or instance is None or leases.is_held_here(run.run_id):
        return
    if multiprocessing.parent_process() is not None and MARK in os.environ:
        die_with_run()
    home = home_of_run(run.run_id) or home_of_lease(run)  # Dagster gives forked steps the run as it was before its tag
    if home is None or run.run_id in _watched:
        return
    if home_of_run(run.run_id) is None and home == leases.home_id():
        os.environ[MARK] = mark(run.run_id)  # for what this process starts
    _watched.add(run.run_id)
    threading.Thread(target=_watch, args=(instance, run.run_id, home), name="run-end", daemon=True).start()


def has_ended(instance: dg.DagsterInstance, run_id: str, home: str) -> bool:
    """Whether the run's process or, in Dagster's storage, the run has ended; False if it cannot be asked just now.

    Args:
        instance: of the run.
        run_id: of the run.
        home: id of the project's folder with the run's lease; the file is asked only if it is this one.
    """
    try:
        if home == leases.home_id() and leases.is_over(run_id):
            return True
        run = instance.get_run_by_id(run_id)
        return run is not None and run.is_finished
    except (NrdferError, OSError):
        return False
    except Exception as error:  # of the database's driver: a server that restarts must not end a training
        _log.debug("whether run %s goes on cannot be asked now: %s", run_id[:8], type(error).__name__)
        return False


def leave_to_scheduler(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> None:
    """End this process without a result if its scheduler ends it while its run goes on.

    The executor then learns from the scheduler why: preempted, out of time or cancelled. Dagster's own record would
    only say that the step was interrupted.
    """
    if CLUSTER_STEP not in os.environ or threading.current_thread() is not threading.main_thread():
        return
    run = context.instance.get_run_by_id(context.run_id)
    if run is None or run.is_finished or run.status == dg.DagsterRunStatus.CANCELING:
        return
    context.log.warning("this step is ended from outside; what it had saved is kept")
    sys.stdout.flush()
    sys.stderr.flush()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTERM)


def _watch(instance: dg.DagsterInstance, run_id: str, home: str) -> None:
    time.sleep(EVERY)  # at the start of the step its run lived, and the step's own work comes first
    while not has_ended(instance, run_id, home):
        time.sleep(EVERY)
    _log.warning("run %s of this step has ended, so the step saves and ends", run_id[:8])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os.kill(os.getpid(), signal.SIGKILL)
