"""Runs whose process is gone are recognised and cleared with all they left; living ones are left alone."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from assets.run_end import TAG_LEASE, lease_tag
from devtools.job_state import dagster_runs
from nrdfer.core import leases
from nrdfer.core.processes import MARK
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.open_runs import PIPELINES
from pipelines import repair, run_lease

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]
LOG = logging.getLogger("test")


@dg.job
def some_job() -> None:
    """A job without steps."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        made.event_log_storage.set_concurrency_slots("gpu", 1)
        yield made


def started_run(
    instance: dg.DagsterInstance, *, lives: bool, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> str:
    """A run that this process executes, or that one did that was killed."""
    run_id = instance.create_run_for_job(some_job, status=status).run_id
    if lives:
        leases.take(run_id)
    else:
        code = (
            "import os, signal, sys; from nrdfer.core import leases; leases.take(sys.argv[1]); os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", code, run_id], check=False)
        assert (leases._folder() / run_id).exists()
    instance.add_run_tags(run_id, lease_tag(run_id))
    return run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def claimed(instance: dg.DagsterInstance, run_id: str) -> bool:
    return instance.event_log_storage.claim_concurrency_slot("gpu", run_id, "fold").is_claimed


def test_a_killed_run_is_failed_and_its_slots_and_its_place_in_the_queue_are_freed(
    instance: dg.DagsterInstance,
) -> None:
    dead, waiting = (started_run(instance, lives=False) for _ in range(2))
    assert claimed(instance, dead) and not claimed(instance, waiting)
    assert sorted(repair.repair_dead_runs(instance, LOG)) == sorted([dead, waiting])
    assert status(instance, dead) == status(instance, waiting) == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").pending_steps == []
    assert claimed(instance, "another run")


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    alive = started_run(instance, lives=True)
    assert claimed(instance, alive)
    assert repair.repair_dead_runs(instance, LOG) == []
    assert status(instance, alive) == dg.DagsterRunStatus.STARTED
    assert not claimed(instance, "another run")


def test_the_leases_of_dead_runs_are_swept_and_those_of_living_ones_stay(instance: dg.DagsterInstance) -> None:
    alive, _ = started_run(instance, lives=True), started_run(instance, lives=False)
    repair.repair_dead_runs(instance, LOG)
    assert alive in {path.name for path in leases._folder().glob("[!.]*")} <= {alive, leases.of_this_process()}


def test_a_run_of_another_projects_folder_is_left_alone(instance: dg.DagsterInstance) -> None:
    """It shares Dagster's storage, but its leases are not here."""
    elsewhere = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED).run_id
    instance.add_run_tags(elsewhere, {TAG_LEASE: f"{'0' * 32} {elsewhere}"})
    assert claimed(instance, elsewhere)
    assert repair.repair_dead_runs(instance, LOG) == []
    assert status(instance, elsewhere) == dg.DagsterRunStatus.STARTED
    assert not claimed(instance, "another run")


def test_a_run_that_is_executed_again_does_not_inherit_the_end_of_its_lease(instance: dg.DagsterInstance) -> None:
    again = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTING).run_id
    instance.add_run_tags(again, lease_tag("the run that it repeats, whose tags Dagster copies"))
    assert repair.repair_dead_runs(instance, LOG) == []


def test_a_run_of_an_earlier_release_is_dead(instance: dg.DagsterInstance) -> None:
    former = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED).run_id
    instance.add_run_tags(former, {"nrdfer/host": "any", "nrdfer/process": "1:1.00"})
    assert repair.repair_dead_runs(instance, LOG) == [former]


def test_a_run_that_ends_while_it_is_looked_at_keeps_its_end(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started_run(instance, lives=False)
    ask = leases.is_over

    def ended(name: str) -> bool:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        if not run.is_finished:
            instance.report_run_canceled(run)
        return ask(name)

    monkeypatch.setattr(leases, "is_over", ended)
    assert repair.repair_dead_runs(instance, LOG) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.CANCELED


def test_one_that_was_being_ended_is_canceled(instance: dg.DagsterInstance) -> None:
    ending = started_run(instance, lives=False, status=dg.DagsterRunStatus.CANCELING)
    assert repair.repair_dead_runs(instance, LOG) == [ending]
    assert status(instance, ending) == dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("former", [False, True])
def test_a_folder_with_a_plain_or_a_former_dagster_yaml_is_repaired(tmp_path: Path, former: bool) -> None:
    """The former one names a class of this project, which is still there to be loaded."""
    plain = (PROJECT / "dagster.yaml").read_text()
    named = "instance_class:\n  module: pipelines.instance\n  class: SigningInstance\n"
    (tmp_path / "dagster.yaml").write_text(plain + named if former else plain)
    code = """
import os, signal
import dagster as dg
from dagster._core.instance.ref import InstanceRef
from pipelines import run_lease

@dg.job
def some_job(): ...

with dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.getcwd())) as instance:
    run = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED)
    with run_lease.held(instance, run.run_id):
        os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "NRDFER_HOME": str(tmp_path / ".nrdfer"), "DAGSTER_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False)
    line = [sys.executable, "-m", "pipelines.repair"]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "runs that were killed: 1", done.stderr
    assert [status for _, status in dagster_runs(tmp_path)] == ["FAILURE"]


@pytest.mark.parametrize(
    ("state", "launched", "dies"),
    [
        (dg.DagsterRunStatus.STARTED, True, True),
        (dg.DagsterRunStatus.STARTED, False, False),  # a script's own, whose process is unknown
        (dg.DagsterRunStatus.STARTING, False, True),
        (dg.DagsterRunStatus.NOT_STARTED, False, True),
        (dg.DagsterRunStatus.NOT_STARTED, True, True),
    ],
)
def test_a_run_that_nobody_executes_is_dead_after_a_while(
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    state: dg.DagsterRunStatus,
    launched: bool,
    dies: bool,
) -> None:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("localhost", 1), "r"), "some_job")
    made = instance.create_run_for_job(some_job, status=state, remote_job_origin=origin if launched else None)
    assert repair.repair_dead_runs(instance, LOG) == []
    monkeypatch.setattr(run_lease, "UNTAGGED", timedelta(0))
    assert repair.repair_dead_runs(instance, LOG) == [made.run_id] * dies


def test_slots_of_deleted_and_of_ended_runs_are_freed_unless_their_process_goes_on(
    instance: dg.DagsterInstance,
) -> None:
    assert claimed(instance, "a run that was deleted")
    assert repair.repair_dead_runs(instance, LOG) == []
    going_on = started_run(instance, lives=True, status=dg.DagsterRunStatus.CANCELED)
    assert claimed(instance, going_on)
    repair.repair_dead_runs(instance, LOG)
    assert not claimed(instance, "another run")
    leases._end()  # what a process does at its end
    repair.repair_dead_runs(instance, LOG)
    assert claimed(instance, "yet another run")  # the one that waited was never made: its place is freed, too


def test_mlflow_runs_of_a_killed_run_are_closed_as_failed_whoever_noticed_first(
    instance: dg.DagsterInstance, tracking: Tracking
) -> None:
    dead = started_run(instance, lives=False)
    # the UI's code server reports by itself that a run's process has died
    noticed = started_run(instance, lives=False, status=dg.DagsterRunStatus.FAILURE)
    alive = started_run(instance, lives=True)
    for run_id in (dead, noticed, alive):
        assert pending_uploads.begin_pipeline(tracking, run_id, {"name": "tiny"}, {"a": "b"})
    for run_id in (dead, noticed):
        PIPELINES.change(run_id, lease="0" * 32)
    (told,) = tracking.find(dagster__run_id=dead)
    tracking.client.set_terminated(told.info.run_id, "FINISHED")  # killed between telling MLflow and telling Dagster
    assert repair.repair_dead_runs(instance, LOG) == [dead]
    found = [tracking.find(dagster__run_id=run_id)[0] for run_id in (dead, noticed, alive)]
    assert [run.info.status for run in found] == ["FAILED", "FAILED", "RUNNING"]
    assert [name for name, _ in PIPELINES] == [alive]


def test_a_repair_that_was_interrupted_is_done_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = started_run(instance, lives=False)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(repair, "free_slots", killed)
        repair.repair_dead_runs(instance, LOG)
    assert repair.repair_dead_runs(instance, LOG) == [dead]


def test_of_two_runs_that_start_at_once_one_repairs(instance: dg.DagsterInstance) -> None:
    dead = started_run(instance, lives=False)
    with ThreadPoolExecutor(2) as pool:
        repaired = list(pool.map(lambda _: repair.repair_dead_runs(instance, LOG), range(2)))
    assert sorted(repaired) == [[], [dead]]


def test_orphans_are_ended_and_nobody_else(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dead, living = (started_run(instance, lives=lives) for lives in (False, True))
    here = leases.home_id()
    marks = {
        "orphan": f"{dead} {here} {tmp_path}",
        "child of a living run": f"{living} {here} {tmp_path}",
        "of another project's folder, perhaps of the same path": f"{dead} {'0' * 32} {tmp_path}",
        "marked by an earlier release": f"{dead} 1:1.00 {tmp_path}",
        "unmarked": "",
    }
    line = [sys.executable, "-c", "print(flush=True); input()"]
    started = {
        name: subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, MARK: mark})
        for name, mark in marks.items()
    }
    try:
        for process in started.values():
            assert process.stdout is not None and process.stdout.readline()
        repair.repair_dead_runs(instance, LOG)
        assert [name for name, process in started.items() if process.poll() is not None] == ["orphan"]
    finally:
        for process in started.values():
            process.kill()
            process.wait()
