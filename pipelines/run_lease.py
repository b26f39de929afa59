"""The lease of a run: held by the process that executes it, and asked by whoever wants to know whether it lives.

A tag of the run names the project's folder that has the lease, because several may share Dagster's storage.
Where that is in PostgreSQL, the process also holds a lock there (``postgres_lease.py``), for those with another folder.
Keep out: the lease itself (``nrdfer/core/leases.py``), and what is done about a dead run (``repair.py``).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.run_end import home_of_lease, lease_tag
from nrdfer.core import leases
from nrdfer.core.processes import children_marked

#: A run that its process has not tagged by then has none: launched by the UI, a sensor or a backfill, or killed before
#: its first step.
UNTAGGED = timedelta(minutes=10)
#: Seconds between two questions to PostgreSQL: a holder that lost its connection is back by then.
TWICE = 30.0
_FORMER = "nrdfer/process"  # tag of earlier releases, which run no more
_BEFORE_STEPS = {dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING}


@contextlib.contextmanager
def held(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Hold the run's lease from now until this process ends, and mark what it starts within the block.

    The lease outlives the block, because Dagster records the run's end after it.

    Raises:
        StoreError: another process executes this run, or the file system has no locks.
        OSError: the disk is full or not writable.
    """
    leases.take(run_id)
    url = postgres_url(instance)
    if url is not None:
        from pipelines import postgres_lease

        postgres_lease.take(url, run_id)
    instance.add_run_tags(run_id, lease_tag(run_id))
    with children_marked(run_id):
        yield


def postgres_url(instance: dg.DagsterInstance) -> str | None:
    """Address of the PostgreSQL that holds an instance's runs, as dagster-postgres has it; None if none does."""
    url = getattr(instance.run_storage, "postgres_url", None)
    return url if isinstance(url, str) else None


def dead(instance: dg.DagsterInstance, records: Iterable[dg.RunRecord]) -> list[dg.DagsterRun]:
    """Those of these unfinished runs whose process has ended."""
    records = list(records)
    over = _over(instance, [record.dagster_run for record in records])
    found = [record.dagster_run for record in records if record.dagster_run.run_id in over or _never_began(record)]
    # one that ended by itself since the records were read has recorded its end before its lease was over
    again = [instance.get_run_by_id(run.run_id) for run in found]
    return [run for run in again if run is not None and not run.is_finished]


def is_process_over(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the process of a run with a lease has ended; False if that cannot be known."""
    return bool(_over(instance, [run]))


def _over(instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> set[str]:
    """Ids of the runs whose lease is over."""
    home, found, mine, elsewhere = leases.home_id(), set(), set(), set()
    for run in runs:
        where = home_of_lease(run)
        if where == home:
            if leases.is_over(run.run_id):
                mine.add(run.run_id)
        elif where is not None:
            elsewhere.add(run.run_id)
        elif _FORMER in run.tags:
            found.add(run.run_id)
    url = postgres_url(instance)
    if url is None or not mine | elsewhere:
        return found | mine  # nothing here tells whether processes of another project's folder live
    from pipelines import postgres_lease

    # the folder may be a copy of another, whose runs have their lease there: they hold their lock
    found |= postgres_lease.free(url, mine) if mine else set()
    if free := postgres_lease.free(url, elsewhere):
        time.sleep(TWICE)
        found |= postgres_lease.free(url, free)
    return found


def _never_began(record: dg.RunRecord) -> bool:
    """Whether a run without a lease has had none for too long.

    A script's own run, in its own process, has none either: once it has started, whether it lives cannot be known.
    """
    run = record.dagster_run
    if home_of_lease(run) is not None or datetime.now(UTC) - _aware(record.update_timestamp) <= UNTAGGED:
        return False
    return run.remote_job_origin is not None or run.status in _BEFORE_STEPS


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
