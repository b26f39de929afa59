"""Runs whose process is gone are recognised and cleared; living ones are left alone."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from pipelines import repair


@dg.job
def some_job() -> None:
    """A job without steps."""


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def started_run(instance: dg.DagsterInstance, signature: str, host: str = socket.gethostname()) -> str:
    run = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED)
    instance.add_run_tags(run.run_id, {repair.TAG_HOST: host, repair.TAG_PROCESS: signature})
    return run.run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def signature_of_a_dead_process() -> str:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    signature = f"{child.pid}:{psutil.Process(child.pid).create_time():.2f}"
    child.kill()
    child.wait()
    return signature


def test_a_killed_run_is_failed_and_its_slots_are_freed(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    storage.set_concurrency_slots("gpu", 1)
    dead = started_run(instance, signature_of_a_dead_process())
    assert storage.claim_concurrency_slot("gpu", dead, "fold").is_claimed
    assert repair.repair_dead_runs(instance, logging.getLogger()) == [dead]  # type: ignore[arg-type]
    assert status(instance, dead) == dg.DagsterRunStatus.FAILURE
    assert storage.claim_concurrency_slot("gpu", "another run", "fold").is_claimed


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    process = psutil.Process()
    alive = started_run(instance, f"{process.pid}:{process.create_time():.2f}")
    assert repair.repair_dead_runs(instance, logging.getLogger()) == []  # type: ignore[arg-type]
    assert status(instance, alive) == dg.DagsterRunStatus.STARTED


def test_a_reused_pid_is_not_taken_for_the_run(instance: dg.DagsterInstance) -> None:
    process = psutil.Process()
    old = started_run(instance, f"{process.pid}:{process.create_time() - 1000:.2f}")
    assert repair.repair_dead_runs(instance, logging.getLogger()) == [old]  # type: ignore[arg-type]


def test_runs_of_other_hosts_are_left_alone(instance: dg.DagsterInstance) -> None:
    elsewhere = started_run(instance, signature_of_a_dead_process(), host="another-host")
    assert repair.repair_dead_runs(instance, logging.getLogger()) == []  # type: ignore[arg-type]
    assert status(instance, elsewhere) == dg.DagsterRunStatus.STARTED
