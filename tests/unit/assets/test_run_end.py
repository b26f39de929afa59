"""A step whose run has ended saves and ends, with what it started; one that cannot ask goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
import psutil
import pytest

from assets import run_end
from nrdfer.core import leases

pytestmark = pytest.mark.slow

RUN_ID = "00000000-0000-4000-8000-000000000001"
STEP = """
import os, signal, subprocess, sys
from types import SimpleNamespace
import dagster as dg
from assets import run_end
from nrdfer.core.processes import MARK

@dg.job
def some_job(): ...

signal.signal(signal.SIGTERM, lambda *_: print("saved", flush=True))
run_end.EVERY, run_end.GRACE = 0.05, 0.5
with dg.DagsterInstance.ephemeral() as instance:
    run = instance.create_run_for_job(some_job, tags=run_end.lease_tag(sys.argv[1]), run_id=sys.argv[1])
    run_end.end_with_run(SimpleNamespace(run=run, instance=instance))
    child = subprocess.Popen(["sleep", "1000"])
    print(child.pid, os.environ[MARK], flush=True)
    while True:
        child.wait()
"""
RUN = "import sys; from nrdfer.core import leases; leases.take(sys.argv[1]); print(flush=True); sys.stdin.read()"


@dg.job
def some_job() -> None:
    """A job without steps."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    monkeypatch.delenv("NRDFER_RUN", raising=False)
    return tmp_path


def test_a_step_elsewhere_saves_and_ends_with_its_children_when_its_run_is_killed(home: Path) -> None:
    run, step = (
        subprocess.Popen([sys.executable, "-c", code, RUN_ID], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for code in (RUN, STEP)
    )
    try:
        assert run.stdout is not None and step.stdout is not None
        run.stdout.readline()
        number, _, mark = step.stdout.readline().strip().partition(" ")
        assert mark == f"{RUN_ID} {leases.home_id()} {home}"
        child = psutil.Process(int(number))
        assert step.poll() is None
        run.kill()
        assert step.stdout.readline() == "saved\n"
        assert step.wait(60) == -9
        assert psutil.wait_procs([child], timeout=10)[1] == []
    finally:
        for process in (run, step):
            process.kill()
            process.communicate()


def test_a_run_has_ended_when_its_lease_is_over_or_dagster_says_so() -> None:
    home = leases.home_id()
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED).run_id
        assert run_end.has_ended(instance, run_id, home)
        assert not run_end.has_ended(instance, run_id, "of another folder, whose leases are not here")
        leases.take(run_id)
        assert not run_end.has_ended(instance, run_id, home)
        run = instance.get_run_by_id(run_id)
        assert run is not None
        instance.report_run_failed(run)  # as "force termination" in the UI does
        assert run_end.has_ended(instance, run_id, home)


def test_a_storage_that_does_not_answer_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("the server restarts")

    with dg.DagsterInstance.ephemeral() as instance:
        monkeypatch.setattr(instance, "get_run_by_id", away)
        assert not run_end.has_ended(instance, "a run", "of another folder")
