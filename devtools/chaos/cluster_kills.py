"""Kills of nodes, steps and the orchestrating process of a run on a cluster, and how a lost step is seen in its log.

Keep out: options and the table (``scripts/chaos/cluster.py``), and the clusters (`devtools.slurm_cluster`,
`devtools.ray_cluster`).
"""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from devtools import job_state, ray_cluster, slurm_cluster
from devtools.chaos.line import LOOK, project, start, undisturbed
from devtools.chaos.trials import Trial, complaints_of, type_again

_RETRY = 60.0  # seconds within which a lost step is started again
_SURVIVES = 1800.0
_STARTED = re.compile(rb" - STEP_WORKER_STARTING - \S+ is Slurm's job|STEP_WORKER_STARTING - Executing step ")
_AGAIN = b" - STEP_UP_FOR_RETRY - "
NODE, STEP, ORCHESTRATOR = "node", "step", "orchestrator"
_PLAN = (NODE, ORCHESTRATOR, STEP)
ENGINES = {"slurm": slurm_cluster.SlurmCluster, "ray": ray_cluster.RayCluster}
MISSING = {"slurm": slurm_cluster.missing, "ray": ray_cluster.missing}
Cluster = slurm_cluster.SlurmCluster | ray_cluster.RayCluster


@dataclass
class Kill(Trial):
    """Result of one kill."""

    engine: str
    victim: str
    begins_with: str
    after_steps: int = 0
    ended_with: int | None = None
    retry_after: float | None = None  # seconds from the kill


def step_processes(cluster: Cluster) -> list[psutil.Process]:
    """Processes of steps on the cluster's hosts."""
    found = []
    for node in cluster.nodes:
        for process in node.processes():
            with suppress(psutil.Error):
                line = process.cmdline()
                if "execute_step" in line and "python" in Path(line[0]).name:
                    found.append(process)
    return found


def step_of(process: psutil.Process) -> str:
    """The step that a process runs, by the variables that Slurm and Ray's handler set."""
    with suppress(psutil.Error):
        found = process.environ()
        return found.get("DAGSTER_RUN_STEP_KEY") or found.get("SLURM_JOB_NAME", "").removeprefix("nrdfer-")
    return ""


def delivered(folder: Path) -> set[str]:
    """Steps of the last run that have delivered their result, which a kill of their process cannot lose."""
    found: set[str] = set()
    for run_id, _ in job_state.dagster_runs(folder)[-1:]:
        log = folder / ".dagster/storage/history/runs" / f"{run_id}.db"
        with closing(sqlite3.connect(f"{log.as_uri()}?mode=ro", uri=True)) as opened:
            question = "select step_key from event_logs where dagster_event_type in ('STEP_SUCCESS', 'STEP_FAILURE')"
            found |= {str(step) for (step,) in opened.execute(question)}
    return found


class Disturber:
    """What all trials share: the undisturbed run of one machine, and how one on a cluster is disturbed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.whole, self.seed = folder / "undisturbed", seed
        undisturbed(self.whole)
        self.expected = job_state.results(self.whole)

    def disturb(self, trial: Kill, folder: Path) -> None:
        """One trial."""
        rng = random.Random(f"{self.seed} {trial.number}")
        ready = trial.begins_with == "data"
        environment = project(folder, self.whole if ready else None)
        trial.after_steps = rng.randrange(1, 15 if ready else 30)
        place = Path(tempfile.mkdtemp(prefix="nc-", dir="/tmp"))  # sockets need short names
        try:
            with ENGINES[trial.engine](place) as cluster:
                environment |= cluster.environment
                killed = self._kill(trial, folder, environment, cluster, rng)
                if killed and trial.victim == ORCHESTRATOR:
                    type_again(trial, folder, environment, self.expected)
                else:
                    trial.complaints += complaints_of(folder, self.expected)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _kill(
        self, trial: Kill, folder: Path, environment: dict[str, str], cluster: Cluster, rng: random.Random
    ) -> bool:
        process, log = start(folder, environment, "killed")
        while process.poll() is None and len(_STARTED.findall(log.read_bytes())) < trial.after_steps:
            time.sleep(LOOK * 5)
        time.sleep(rng.uniform(0.0, 8.0))
        hit = self._hit(trial, folder, process, cluster, rng)
        if hit is None:
            trial.complaints.append("the run had ended before anything could be killed")
        struck, before = time.monotonic(), log.read_bytes().count(_AGAIN)
        while process.poll() is None and time.monotonic() - struck < _SURVIVES:
            if hit and trial.retry_after is None and log.read_bytes().count(_AGAIN) > before:
                trial.retry_after = round(time.monotonic() - struck, 1)
            time.sleep(LOOK * 5)
        if process.poll() is None:
            trial.complaints.append(f"the run had not ended {_SURVIVES:.0f} s after the kill")
            process.kill()
        trial.ended_with = process.wait()
        if trial.victim != ORCHESTRATOR and trial.ended_with != 0:
            trial.complaints.append(f"it ended with {trial.ended_with}: {log.read_text(errors='replace')[-2500:]}")
        if hit and trial.victim != ORCHESTRATOR and not (trial.retry_after and trial.retry_after <= _RETRY):
            trial.complaints.append(f"a lost step was started again after {trial.retry_after} s")
        return hit is not None

    def _hit(
        self, trial: Kill, folder: Path, process: subprocess.Popen[bytes], cluster: Cluster, rng: random.Random
    ) -> bool | None:
        """Kill; whether a step was lost by it, or None if the run has ended."""
        while process.poll() is None:
            over = delivered(folder)
            steps = [step for step in step_processes(cluster) if step_of(step) not in over]
            if trial.victim == ORCHESTRATOR:
                process.kill()
                return False
            if steps:
                victim = rng.choice(steps)
                with suppress(psutil.NoSuchProcess, StopIteration):
                    name = step_of(victim)
                    number = next(i for i, node in enumerate(cluster.nodes) if victim in node.processes())
                    if trial.victim == STEP:
                        victim.kill()
                    else:
                        cluster.kill_node(number)
                    return name not in delivered(folder)  # it may have delivered in this moment
            time.sleep(LOOK * 5)
        return None


def plan(engines: Sequence[str], kills: int) -> list[Kill]:
    """Engines, victims and beginnings in turn."""
    made = []
    for number in range(1, kills * len(engines) + 1):
        engine = engines[(number - 1) % len(engines)]
        turn = (number - 1) // len(engines)
        made.append(Kill(number, engine, _PLAN[turn % len(_PLAN)], "data" if turn % 2 == 0 else "nothing"))
    return made
