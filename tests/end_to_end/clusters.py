"""What the tests of both clusters share: the whole job, the bytes of one machine, and a node that dies."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any, Protocol

from devtools import job_state
from devtools.chaos.trials import complaints_of
from devtools.namespace_host import NamespaceHost
from devtools.tiny_project import LINE, make_project, use_data_of

Reproduced = tuple[Path, dict[str, str], str]
_TRAINS = "dfew__fd1__checkpoint"


class Cluster(Protocol):
    """A cluster as a test uses it."""

    nodes: list[NamespaceHost]

    @property
    def environment(self) -> dict[str, str]: ...

    def kill_node(self, number: int) -> None: ...


def run_everything(cluster: Cluster, folder: Path, reproduced: Reproduced) -> None:
    """The typed line, from nothing: it ends with 0, with the bytes of one machine, and leaves nothing behind."""
    environment = make_project(folder) | cluster.environment
    done = subprocess.run(LINE, cwd=folder, env=environment, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stderr[-6000:]
    assert len(job_state.results(reproduced[0])) > 20
    assert complaints_of(folder, job_state.results(reproduced[0])) == []


def lose_a_node_in_a_training(cluster: Cluster, folder: Path, reproduced: Reproduced) -> None:
    """The node that trains dies: Dagster starts the step again on the other one, and no byte is different."""
    environment = make_project(folder) | cluster.environment
    use_data_of(reproduced[0], folder)
    log = folder / "run.log"
    with log.open("wb") as file:
        process = subprocess.Popen(LINE, cwd=folder, env=environment, stdout=file, stderr=file)
    try:
        number = _node_that_trains(cluster, process, log)
        cluster.kill_node(number)
        assert process.wait(3000) == 0, log.read_text()[-6000:]
    finally:
        process.kill()
        process.wait()
    told = log.read_text()
    assert "STEP_UP_FOR_RETRY" in told and "failed health check: lost: " in told
    assert complaints_of(folder, job_state.results(reproduced[0])) == []


def _node_that_trains(cluster: Cluster, process: subprocess.Popen[bytes], log: Path) -> int:
    while process.poll() is None:
        for number, node in enumerate(cluster.nodes):
            if any(_trains(step) for step in node.processes()):
                return number
        time.sleep(0.2)
    raise AssertionError(f"the run ended before a training began: {log.read_text()[-6000:]}")


def _trains(process: Any) -> bool:
    import psutil

    try:
        # its name is in the options that Dagster packs, and Slurm and Ray give it in their own variables
        found = process.environ()
        return _TRAINS in (found.get("SLURM_JOB_NAME", "") + found.get("DAGSTER_RUN_STEP_KEY", ""))
    except psutil.Error:
        return False
