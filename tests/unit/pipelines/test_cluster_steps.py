"""One step on a real cluster of Slurm or Ray: its host dies, it or its run is killed, its run is ended, it fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from devtools import ray_cluster, slurm_cluster
from devtools.namespace_host import wait_until
from devtools.tiny_project import copy_settings
from nrdfer.core import leases
from pipelines.cluster_steps import is_over
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow
_PATIENCE = 300.0
_JOB = """
import os, socket, time
from pathlib import Path
import dagster as dg
from assets.step_results import step
from pipelines.engines import chosen_executor

@dg.asset
def waits(context: dg.AssetExecutionContext) -> None:
    with step(context):
        wait()

def wait() -> None:
    folder = Path(os.environ["NRDFER_HOME"])
    attempts = len(list(folder.glob("attempt-*")))
    (folder / f"attempt-{attempts}").write_text(socket.gethostname())
    try:
        while not (folder / "go").exists():
            time.sleep(0.1)
    except BaseException:
        (folder / "saved").touch()
        raise
    if (folder / "go").read_text() == "wrong":
        raise dg.Failure("the input is wrong", allow_retries=False)

one_step = dg.define_asset_job("one_step", executor_def=chosen_executor())
defs = dg.Definitions(assets=[waits], jobs=[one_step])
"""
_CLUSTERS = {"slurm": slurm_cluster, "ray": ray_cluster}
Cluster = slurm_cluster.SlurmCluster | ray_cluster.RayCluster


class Runs:
    """The job's command in a folder of its own."""

    def __init__(self, cluster: Cluster, folder: Path, database: Path) -> None:
        self.cluster, self.home, self.folder = cluster, folder / "home", folder
        self.home.mkdir()
        (folder / "job.py").write_text(_JOB)
        copy_settings(PROJECT / "dagster.yaml", folder)
        shutil.copy(database, self.home / "mlflow.db")
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        kept = {name: value for name, value in os.environ.items() if name != "DAGSTER_MODULE_NAME"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        places = {"NRDFER_HOME": str(self.home), "PYTHONPATH": str(PROJECT), "PATH": path}
        line = [sys.executable, "-m", "dagster", "job", "execute", "-f", "job.py", "-j", "one_step"]
        with (self.folder / "log").open("ab") as log:
            environment = kept | places | self.cluster.environment
            run = subprocess.Popen(line, cwd=self.folder, env=environment, stdout=log, stderr=log)
        self._started.append(run)
        return run

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def attempts(self) -> list[str]:
        """Hosts of the attempts."""
        return [path.read_text() for path in sorted(self.home.glob("attempt-*"))]

    def wait_for_attempts(self, count: int) -> None:
        def are_there() -> bool:
            if any(run.poll() not in (None, -9) for run in self._started):
                raise AssertionError(self.log()[-4000:])
            return len([host for host in self.attempts() if host]) == count

        wait_until(f"attempt {count} has begun", are_there, _PATIENCE)

    def steps(self) -> list[psutil.Process]:
        found = []
        for node in self.cluster.nodes:
            for process in node.processes():
                try:
                    line = process.cmdline()
                except psutil.Error:
                    continue
                if "execute_step" in line and "python" in Path(line[0]).name:
                    found.append(process)
        return found

    def close(self) -> None:
        for run in self._started:
            run.kill()
            run.wait()


@pytest.fixture(params=list(_CLUSTERS))
def runs(request: pytest.FixtureRequest, tmp_path: Path, fresh_database: Path) -> Iterator[Runs]:
    module = _CLUSTERS[request.param]
    if request.param == "ray" and "dies" not in request.function.__name__ and "TESTS_OF_RAY" not in os.environ:
        pytest.skip("takes two minutes each on two cores, and Slurm's is tested; set TESTS_OF_RAY=1 to run it")
    if reason := module.missing():
        pytest.skip(reason)
    make: Callable[[Path], Cluster] = module.SlurmCluster if request.param == "slurm" else module.RayCluster
    folder = Path(tempfile.mkdtemp(prefix="nrdfer-", dir="/tmp"))  # sockets need short names
    try:
        with make(folder) as cluster:
            made = Runs(cluster, tmp_path, fresh_database)
            try:
                yield made
            finally:
                made.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_a_step_whose_host_dies_is_started_again_on_the_other(runs: Runs) -> None:
    run = runs.start()
    runs.wait_for_attempts(1)
    (first,) = runs.attempts()
    runs.cluster.kill_node([node.name for node in runs.cluster.nodes].index(first))
    runs.wait_for_attempts(2)
    (runs.home / "go").touch()
    assert run.wait(_PATIENCE) == 0, runs.log()[-4000:]
    assert sorted(runs.attempts()) == ["node1", "node2"]
    assert "STEP_UP_FOR_RETRY" in runs.log() and "failed health check: lost: " in runs.log()


def test_a_step_that_is_killed_is_started_again(runs: Runs) -> None:
    run = runs.start()
    runs.wait_for_attempts(1)
    (step,) = runs.steps()
    step.kill()
    runs.wait_for_attempts(2)
    (runs.home / "go").touch()
    assert run.wait(_PATIENCE) == 0, runs.log()[-4000:]
    assert "signal 9 (SIGKILL)" in runs.log()


def test_a_step_saves_when_its_run_is_ended_and_nothing_is_left(runs: Runs) -> None:
    run = runs.start()
    runs.wait_for_attempts(1)
    run.terminate()
    assert run.wait(_PATIENCE) != 0
    assert (runs.home / "saved").exists(), runs.log()[-4000:]
    assert runs.steps() == []


def test_the_same_line_again_ends_what_a_killed_run_had_submitted(runs: Runs) -> None:
    killed = runs.start()
    runs.wait_for_attempts(1)
    (step,) = runs.steps()
    killed.kill()
    killed.wait()
    assert step.is_running()
    again = runs.start()
    runs.wait_for_attempts(2)
    assert not step.is_running() or step.status() == psutil.STATUS_ZOMBIE
    (runs.home / "go").touch()
    assert again.wait(_PATIENCE) == 0, runs.log()[-4000:]
    assert "of a run that has ended is ended" in runs.log()
    assert runs.steps() == []


def test_an_error_of_the_step_itself_is_not_tried_again(runs: Runs) -> None:
    (runs.home / "go").write_text("wrong")
    assert runs.start().wait(_PATIENCE) == 1
    assert "the input is wrong" in runs.log()
    assert len(runs.attempts()) == 1


def test_a_step_that_the_cluster_ends_saves_and_the_reason_is_the_clusters(runs: Runs) -> None:
    if not isinstance(runs.cluster, slurm_cluster.SlurmCluster):
        pytest.skip("Ray ends no job by itself")
    run = runs.start()
    runs.wait_for_attempts(1)
    number = runs.cluster.ask("squeue", "--noheader", "--format=%i").strip()
    runs.cluster.ask("scancel", number)
    assert run.wait(_PATIENCE) == 1
    assert (runs.home / "saved").exists(), runs.log()[-4000:]
    assert f"it was cancelled with scancel, or by an administrator (Slurm's job {number}: CANCELLED)" in runs.log()


def test_jobs_of_a_run_that_another_history_knows_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    instance: Any = SimpleNamespace(get_run_by_id=lambda run_id: None)
    assert is_over(instance, "deleted")
    leases.take("living")
    monkeypatch.setattr(leases, "is_over", lambda name: name != "living")  # as another process sees it
    assert not is_over(instance, "living")
