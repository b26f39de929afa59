"""A training on two machines of a job of Slurm: same bytes as two processes of one, ends, losses, and words."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devtools.namespace_host import wait_until
from devtools.slurm_cluster import SlurmCluster, missing
from nrdfer.core.errors import ProfileError
from nrdfer.runtime.engine import Engine
from nrdfer.training import slurm_nodes
from tests.unit.training.machines import PATIENCE, arguments, content, environment, saved_batches

ENDED = {"COMPLETED", "FAILED", "CANCELLED", "NODE_FAIL", "TIMEOUT"}


class Jobs:
    """The same line as a job on both machines."""

    def __init__(self, cluster: SlurmCluster, folder: Path, line: list[str]) -> None:
        self.cluster, self.folder, self._line = cluster, folder, line
        self.variables = {**cluster.environment, **environment(folder / "home")}
        del self.variables["NRDFER_EXECUTOR"]

    def submit(self) -> str:
        line = ["sbatch", "--parsable", "--nodes=2", "--ntasks-per-node=1", f"--output={self.folder}/%j.log", "--wrap"]
        command = " ".join([sys.executable, "-m", "nrdfer.cli", *(f"'{word}'" for word in self._line)])
        done = subprocess.run(
            [*line, f"exec {command}"], env=self.variables, capture_output=True, text=True, cwd=self.folder, check=True
        )
        return done.stdout.strip()

    def state(self, job: str) -> str:
        shown = self.cluster.ask("scontrol", "show", "job", "--oneliner", job)
        return shown.partition("JobState=")[2].partition(" ")[0]

    def end(self, job: str) -> tuple[str, str]:
        """State with which it ended, and what it wrote."""
        wait_until(f"job {job} ends", lambda: self.state(job) in ENDED, PATIENCE)
        return self.state(job), (self.folder / f"{job}.log").read_text()

    def until_saved(self, job: str, batches: int) -> None:
        def reached() -> bool:
            assert self.state(job) not in ENDED, (self.folder / f"{job}.log").read_text()[-3000:]
            return saved_batches(self.folder / "out") >= batches

        wait_until(f"{batches} batches are saved", reached, PATIENCE)

    def ranks(self, number: int) -> list[psutil.Process]:
        """The processes that train on a machine."""
        found = []
        for process in self.cluster.nodes[number].processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                line = process.cmdline()
                if "nrdfer.training.rank" in line and "torch.distributed.run" not in line:
                    found.append(process)
        return found


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    folder = Path(tempfile.mkdtemp(prefix="nrdfer-", dir="/tmp"))  # sockets need short names
    try:
        with SlurmCluster(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.skipif(missing() != "", reason=missing())
def test_two_machines_end_in_words_and_the_same_line_ends_with_the_bytes_of_one(
    cluster: SlurmCluster, corpus: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    jobs = Jobs(cluster, tmp_path, arguments(corpus, tmp_path / "out", nodes=2, devices=2))
    job = jobs.submit()
    jobs.until_saved(job, 2)
    assert all(node.processes() for node in cluster.nodes)
    cluster.ask("scancel", "--quiet", "--signal=TERM", "--batch", job)  # as a run that is ended does
    state, said = jobs.end(job)
    assert state == "FAILED"  # with 143
    assert "everything is saved" in said
    job = jobs.submit()
    wait_until("the second machine trains", lambda: jobs.ranks(1) != [], PATIENCE)
    (rank,) = jobs.ranks(1)
    jobs.until_saved(job, 9)
    rank.kill()
    state, said = jobs.end(job)
    assert state == "FAILED"
    assert "the same command continues" in said or "was lost" in said, said[-3000:]
    assert not (tmp_path / "out" / "result.json").exists()
    state, said = jobs.end(jobs.submit())
    assert state == "COMPLETED", said[-3000:]
    assert content(tmp_path / "out") == undisturbed
    wait_until("no process is left", lambda: not any("python" in name for name in _names(cluster)))


def _names(cluster: SlurmCluster) -> Iterator[str]:
    for node in cluster.nodes:
        for process in node.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                yield process.name()


@pytest.mark.parametrize(
    ("job", "machines", "engine", "words"),
    [
        ("", "", Engine(nodes=2, devices=4), r"nodes: 2 machines .* was started alone.* or in a job of Slurm"),
        ("7", "3", Engine(nodes=2, devices=4), r"nodes: 2 machines .* job 7 has 3; give sbatch --nodes=2"),
        ("7", "2", Engine(nodes=2, devices=3), r"devices: 3 cannot be divided among 2 machines"),
        ("7", "2", Engine(nodes=2, devices=0, device="cuda"), r"devices: 0 cannot be divided .* such as 4 "),
    ],
)
def test_machines_that_are_not_there_are_refused(
    job: str, machines: str, engine: Engine, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slurm_nodes.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setenv(slurm_nodes.JOB, job)
    monkeypatch.setenv(slurm_nodes.NODES, machines or "1")
    with pytest.raises(ProfileError, match=words):
        slurm_nodes.check(engine)


def test_each_machine_runs_its_share_of_the_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(slurm_nodes.shutil, "which", lambda name: f"/usr/bin/{name}")
    for name, value in ((slurm_nodes.JOB, "7"), (slurm_nodes.NODES, "2"), (slurm_nodes.CORES, "4")):
        monkeypatch.setenv(name, value)
    assert slurm_nodes.check(Engine(nodes=2, devices=8)) == 4
    line = slurm_nodes.line_of(2, 4, tmp_path / "request.json")
    assert {"--nodes=2", "--ntasks-per-node=1", "--cpus-per-task=4", "--nnodes=2", "--nproc-per-node=4"} <= set(line)
    assert json.dumps(line).count("max-restarts=0") == 1
