"""A training on two machines of Slurm and of Ray: same bytes as two processes of one, ends, losses, and words."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from devtools import ray_cluster, slurm_cluster
from devtools.namespace_host import wait_until
from nrdfer.core.errors import ProfileError, TrainingError, TrainingLost, TrainingStopped
from nrdfer.runtime.engine import Engine
from nrdfer.training import nodes, ray_nodes, slurm_nodes
from nrdfer.training.launch import error_file
from tests.unit.training.machines import PATIENCE, arguments, content, environment, saved_batches

AGENT = "torch.distributed.run"


class Jobs(ABC):
    """The same line as a job on both machines of a cluster."""

    def __init__(self, cluster: Any, folder: Path, corpus: Path) -> None:
        self.cluster, self.folder, self.corpus = cluster, folder, corpus
        self.out = folder / "out"

    @property
    def line(self) -> str:
        words = arguments(self.corpus, self.out, nodes=2, devices=2)
        return "exec " + shlex.join([sys.executable, "-m", "nrdfer.cli", *words])

    @abstractmethod
    def submit(self) -> str:
        """Submit it; returns the job's id."""

    @abstractmethod
    def ask_to_end(self, job: str) -> None:
        """End it as a run that is ended does."""

    @abstractmethod
    def ended(self, job: str) -> str:
        """How it ended; empty while it has not."""

    @abstractmethod
    def said(self, job: str) -> str:
        """What it wrote."""

    def end(self, job: str) -> tuple[str, str]:
        """How it ended, and what it wrote."""
        wait_until(f"job {job} ends", lambda: self.ended(job) != "", PATIENCE)
        return self.ended(job), self.said(job)

    def until_saved(self, job: str, batches: int) -> None:
        def reached() -> bool:
            assert not self.ended(job), self.said(job)[-3000:]
            return saved_batches(self.out) >= batches

        wait_until(f"{batches} batches are saved", reached, PATIENCE)

    def ranks(self, number: int) -> list[psutil.Process]:
        """The processes that train on a machine."""
        return [one for one, line in self._lines(number) if "nrdfer.training.rank" in line and AGENT not in line]

    def kill_step(self) -> None:
        """SIGKILL to the process that watches them."""
        (step,) = (one for number in range(2) for one, line in self._lines(number) if "nrdfer.cli" in line)
        step.kill()

    def _lines(self, number: int) -> Iterator[tuple[psutil.Process, list[str]]]:
        for process in self.cluster.nodes[number].processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "python" in process.name():
                    yield process, process.cmdline()


class OnSlurm(Jobs):
    def submit(self) -> str:
        line = ["sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", f"--output={self.folder}/%j.log"]
        variables = {**environment(self.folder / "home"), "SLURM_CONF": self.cluster.environment["SLURM_CONF"]}
        done = subprocess.run(
            [*line, "--wrap", self.line], env=variables, capture_output=True, text=True, cwd=self.folder, check=True
        )
        return done.stdout.strip()

    def ask_to_end(self, job: str) -> None:
        self.cluster.ask("scancel", "--quiet", "--signal=TERM", "--batch", job)

    def ended(self, job: str) -> str:
        shown = self.cluster.ask("scontrol", "show", "job", "--oneliner", job)
        state = shown.partition("JobState=")[2].partition(" ")[0]
        return {"COMPLETED": "well", "FAILED": "badly"}.get(state, "")

    def said(self, job: str) -> str:
        return (self.folder / f"{job}.log").read_text()


class OnRay(Jobs):
    @functools.cached_property
    def client(self) -> Any:
        from ray.job_submission import JobSubmissionClient

        return JobSubmissionClient(
            self.cluster.environment["RAY_ADDRESS"], headers=ray_cluster.token_header(self.cluster.token)
        )

    def submit(self) -> str:
        names = ("NRDFER_HOME", "GLOO_SOCKET_IFNAME", "OMP_NUM_THREADS")
        variables = {name: environment(self.folder / "home")[name] for name in names}
        variables["RAY_JOB_STOP_WAIT_TIME_S"] = "60"
        job: str = self.client.submit_job(
            entrypoint=self.line, entrypoint_num_cpus=1, runtime_env={"env_vars": variables}
        )
        return job

    def ask_to_end(self, job: str) -> None:
        self.client.stop_job(job)

    def ended(self, job: str) -> str:
        return {"SUCCEEDED": "well", "FAILED": "badly", "STOPPED": "badly"}.get(self.client.get_job_status(job), "")

    def said(self, job: str) -> str:
        return str(self.client.get_job_logs(job))


def on_ray() -> Any:
    asked = "TESTS_OF_RAY" in os.environ
    reason = ray_cluster.missing() or "takes a minute; set TESTS_OF_RAY=1 to run it"
    return pytest.param(OnRay, ray_cluster.RayCluster, marks=pytest.mark.skipif(not asked, reason=reason))


def on_slurm() -> Any:
    reason = slurm_cluster.missing()
    return pytest.param(OnSlurm, slurm_cluster.SlurmCluster, marks=pytest.mark.skipif(reason != "", reason=reason))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "cluster"), [on_slurm(), on_ray()])
def test_two_machines_end_in_words_and_the_same_line_ends_with_the_bytes_of_one(
    kind: type[Jobs], cluster: Any, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="nrdfer-", dir="/tmp"))  # sockets need short names
    try:
        with cluster(folder) as running:
            stopped_killed_and_continued(kind(running, tmp_path, corpus), undisturbed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stopped_killed_and_continued(jobs: Jobs, undisturbed: dict[str, bytes]) -> None:
    job = jobs.submit()
    jobs.until_saved(job, 2)
    assert [len(jobs.ranks(number)) for number in range(2)] == [1, 1]
    jobs.ask_to_end(job)
    state, said = jobs.end(job)
    assert state == "badly"  # with 143
    assert "everything is saved" in said
    job = jobs.submit()
    wait_until("the second machine trains", lambda: jobs.ranks(1) != [], PATIENCE)
    (rank,) = jobs.ranks(1)
    jobs.until_saved(job, 9)
    rank.kill()
    state, said = jobs.end(job)
    assert state == "badly"
    assert "the same command continues" in said or "was lost" in said, said[-3000:]
    assert not (jobs.out / "result.json").exists()
    job, before = jobs.submit(), saved_batches(jobs.out)
    wait_until("both machines train", lambda: bool(jobs.ranks(0) and jobs.ranks(1)), PATIENCE)
    jobs.until_saved(job, before + 1)
    jobs.kill_step()
    assert jobs.end(job)[0] == "badly"
    wait_until("nobody trains on", lambda: jobs.ranks(0) + jobs.ranks(1) == [])
    assert not (jobs.out / "result.json").exists()
    state, said = jobs.end(jobs.submit())
    assert state == "well", said[-3000:]
    assert content(jobs.out) == undisturbed
    wait_until("no process is left", lambda: jobs.ranks(0) + jobs.ranks(1) == [])


@pytest.fixture
def in_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm_nodes.shutil, "which", lambda name: f"/usr/bin/{name}")
    for name, value in ((slurm_nodes.JOB, "7"), (slurm_nodes.NODES, "2"), (slurm_nodes.CORES, "4")):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("engine", "words"),
    [
        (Engine(nodes=3, devices=3), r"nodes: 3 machines .* job 7 has 2; give sbatch --nodes=3"),
        (Engine(nodes=2, devices=3), r"devices: 3 cannot be divided among 2 machines"),
        (Engine(nodes=2, devices=0, device="cuda"), r"devices: 0 cannot be divided .* such as 4 "),
    ],
)
@pytest.mark.usefixtures("in_slurm")
def test_machines_that_are_not_there_are_refused(engine: Engine, words: str) -> None:
    with pytest.raises(ProfileError, match=words):
        nodes.check(engine)


def test_a_process_alone_is_refused_and_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(slurm_nodes.JOB, raising=False)
    with pytest.raises(ProfileError, match=r"nodes: 2 machines .* was started alone.* or in a job of Slurm or Ray"):
        nodes.check(Engine(nodes=2, devices=4))


@pytest.mark.usefixtures("in_slurm")
def test_each_machine_of_slurm_runs_its_share_of_the_processes(tmp_path: Path) -> None:
    assert nodes.check(Engine(nodes=2, devices=8)) == 4
    line = nodes.line_of(Engine(nodes=2, devices=8), 4, tmp_path / "request.json", "own")
    assert {"--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=4", "--nnodes=2", "--nproc-per-node=4"} <= set(line)


def test_each_machine_of_ray_reserves_its_share_of_cores_and_gpus(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(slurm_nodes.JOB, "7")  # Ray may itself run in a job of Slurm
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    monkeypatch.setenv(ray_nodes.GPUS, "4")
    engine = Engine(nodes=2, devices=8, workers=3)
    line = nodes.line_of(engine, nodes.check(engine), tmp_path / "request.json", "own")
    assert line[2:6] == ["nrdfer.training.ray_nodes", "2", "12", "4"]
    assert "--rdzv-endpoint={meeting}" in line
    on_cpu = Engine(nodes=2, devices=2, workers=1, device="cpu")
    assert nodes.line_of(on_cpu, 1, tmp_path / "request.json", "own")[3:6] == ["2", "1", "0"]


LOST = {"message": "the connection was lost", "time": 1.0, "readable": True, "stopped": False, "lost": True}
FULL = {**LOST, "message": "the disk is full", "time": 2.0, "lost": False}
STOPPED = {**LOST, "message": "everything is saved", "stopped": True, "lost": False}


@pytest.mark.parametrize(
    ("words", "code", "asked", "error", "told"),
    [
        ([LOST, FULL], 1, False, TrainingError, "the disk is full"),  # what broke the connection comes first
        ([LOST, LOST], 1, False, TrainingLost, "the connection was lost"),
        ([], 9, False, TrainingLost, "ended with 9 and without a message"),
        ([STOPPED, STOPPED], 143, True, TrainingStopped, "everything is saved"),
        ([], 143, True, TrainingStopped, "stopped; what .* is kept"),
        ([FULL, STOPPED], 1, True, TrainingError, "the disk is full"),  # while it saved
        ([STOPPED], 0, False, TrainingStopped, "everything is saved"),  # the scheduler asked all of them
    ],
)
def test_why_a_training_on_several_machines_ended(
    words: list[dict[str, Any]], code: int, asked: bool, error: type[Exception], told: str, tmp_path: Path
) -> None:
    for rank, said in enumerate(words):
        error_file(tmp_path, rank).write_text(json.dumps(said))
    with pytest.raises(error, match=told) as caught:
        nodes._raise_errors(tmp_path, 2, code, asked)
    assert type(caught.value) is error
