"""Runs whose process is gone are recognised and cleared with all they left; living ones are left alone."""

from __future__ import annotations

import logging
import os
import shutil
import socket
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

from devtools.job_state import dagster_runs
from nrdfer.core.processes import MARK, signature, started_at
from nrdfer.tracking import pending_uploads
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.open_runs import PIPELINES
from pipelines import repair
from pipelines.run_ownership import TAG_HOST, TAG_PROCESS, signature_tags

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
    instance: dg.DagsterInstance,
    signature: str,
    host: str = socket.gethostname(),
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> str:
    run = instance.create_run_for_job(some_job, status=status)
    instance.add_run_tags(run.run_id, {TAG_HOST: host, TAG_PROCESS: signature})
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def signature_of_a_dead_process() -> str:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    signed = f"{child.pid}:{started_at(child.pid):.2f}"
    child.kill()
    child.wait()
    return signed


def claimed(instance: dg.DagsterInstance, run_id: str) -> bool:
    return instance.event_log_storage.claim_concurrency_slot("gpu", run_id, "fold").is_claimed


def test_a_killed_run_is_failed_and_its_slots_and_its_place_in_the_queue_are_freed(
    instance: dg.DagsterInstance,
) -> None:
    dead, waiting = (started_run(instance, signature_of_a_dead_process()) for _ in range(2))
    assert claimed(instance, dead) and not claimed(instance, waiting)
    assert sorted(repair.repair_dead_runs(instance, LOG)) == sorted([dead, waiting])
    assert status(instance, dead) == status(instance, waiting) == dg.DagsterRunStatus.FAILURE
    assert instance.event_log_storage.get_concurrency_info("gpu").pending_steps == []
    assert claimed(instance, "another run")


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    alive = started_run(instance, signature())
    assert claimed(instance, alive)
    assert repair.repair_dead_runs(instance, LOG) == []
    assert status(instance, alive) == dg.DagsterRunStatus.STARTED
    assert not claimed(instance, "another run")


def test_a_reused_pid_is_not_taken_for_the_run(instance: dg.DagsterInstance) -> None:
    old = started_run(instance, f"{os.getpid()}:{started_at(os.getpid()) - 1:.2f}")
    assert repair.repair_dead_runs(instance, LOG) == [old]


def test_runs_of_other_hosts_are_left_alone(instance: dg.DagsterInstance) -> None:
    elsewhere = started_run(instance, signature_of_a_dead_process(), host="another-host")
    assert claimed(instance, elsewhere)
    assert repair.repair_dead_runs(instance, LOG) == []
    assert status(instance, elsewhere) == dg.DagsterRunStatus.STARTED
    assert not claimed(instance, "another run")


def test_one_that_was_being_ended_is_canceled(instance: dg.DagsterInstance) -> None:
    ending = started_run(instance, signature_of_a_dead_process(), status=dg.DagsterRunStatus.CANCELING)
    assert repair.repair_dead_runs(instance, LOG) == [ending]
    assert status(instance, ending) == dg.DagsterRunStatus.CANCELED


def test_a_run_is_signed_when_it_is_made_and_the_command_reports_one_killed_before_its_first_step(
    tmp_path: Path,
) -> None:
    shutil.copy(PROJECT / "dagster.yaml", tmp_path)
    code = """
import os, signal
import dagster as dg
from dagster._core.instance.ref import InstanceRef

@dg.job
def some_job(): ...

with dg.DagsterInstance.from_ref(InstanceRef.from_dir(os.getcwd())) as instance:
    instance.create_run_for_job(some_job, tags={"a": "b"})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {**os.environ, "NRDFER_HOME": str(tmp_path / ".nrdfer"), "DAGSTER_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False)
    line = [sys.executable, "-m", "pipelines.repair"]
    done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "runs that were killed: 1", done.stderr
    assert [status for _, status in dagster_runs(tmp_path)] == ["FAILURE"]


def test_a_launched_run_that_nobody_signs_is_dead_after_a_while(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(GrpcServerCodeLocationOrigin("localhost", 1), "r"), "some_job")
    made = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED, remote_job_origin=origin)
    by_a_script = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED)
    assert repair.repair_dead_runs(instance, LOG) == []
    monkeypatch.setattr(repair, "_UNSIGNED", timedelta(0))
    assert repair.repair_dead_runs(instance, LOG) == [made.run_id]
    assert status(instance, by_a_script.run_id) == dg.DagsterRunStatus.STARTED


def test_slots_of_deleted_and_of_ended_runs_are_freed_unless_their_process_goes_on(
    instance: dg.DagsterInstance,
) -> None:
    assert claimed(instance, "a run that was deleted")
    assert repair.repair_dead_runs(instance, LOG) == []
    going_on = started_run(instance, signature(), status=dg.DagsterRunStatus.CANCELED)
    assert claimed(instance, going_on)
    repair.repair_dead_runs(instance, LOG)
    assert not claimed(instance, "another run")
    instance.add_run_tags(going_on, {**signature_tags(), TAG_PROCESS: signature_of_a_dead_process()})
    repair.repair_dead_runs(instance, LOG)
    assert claimed(instance, "yet another run")  # the one that waited was never made: its place is freed, too


def test_mlflow_runs_of_a_killed_run_are_closed_as_failed_whoever_noticed_first(
    instance: dg.DagsterInstance, tracking: Tracking
) -> None:
    dead = started_run(instance, signature_of_a_dead_process())
    # the UI's code server reports by itself that a run's process has died
    noticed = started_run(instance, signature_of_a_dead_process(), status=dg.DagsterRunStatus.FAILURE)
    alive = started_run(instance, signature())
    for run_id in (dead, noticed, alive):
        assert pending_uploads.begin_pipeline(tracking, run_id, {"name": "tiny"}, {"a": "b"})
    for run_id in (dead, noticed):
        PIPELINES.change(run_id, process=signature_of_a_dead_process())
    (told,) = tracking.find(dagster__run_id=dead)
    tracking.client.set_terminated(told.info.run_id, "FINISHED")  # killed between telling MLflow and telling Dagster
    assert repair.repair_dead_runs(instance, LOG) == [dead]
    found = [tracking.find(dagster__run_id=run_id)[0] for run_id in (dead, noticed, alive)]
    assert [run.info.status for run in found] == ["FAILED", "FAILED", "RUNNING"]
    assert [name for name, _ in PIPELINES] == [alive]


def test_a_repair_that_was_interrupted_is_done_again(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = started_run(instance, signature_of_a_dead_process())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(repair, "free_slots", killed)
        repair.repair_dead_runs(instance, LOG)
    assert repair.repair_dead_runs(instance, LOG) == [dead]


def test_of_two_runs_that_start_at_once_one_repairs(instance: dg.DagsterInstance) -> None:
    dead = started_run(instance, signature_of_a_dead_process())
    with ThreadPoolExecutor(2) as pool:
        repaired = list(pool.map(lambda _: repair.repair_dead_runs(instance, LOG), range(2)))
    assert sorted(repaired) == [[], [dead]]


def test_orphans_are_ended_and_nobody_else(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    dead, living = signature_of_a_dead_process(), signature()
    marks = {
        "orphan": f"r {dead} {tmp_path}",
        "child of a living run": f"r {living} {tmp_path}",
        "orphan of another project": f"r {dead} {tmp_path}/other",
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
