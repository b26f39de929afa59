"""Kill processes of the job at random moments and type the same command again: ``make chaos-job``.

    python -m scripts.chaos.job [--trials 20] [--seed 0] [--at-once 1] [--folder DIR] [--json FILE]

Every trial is a folder of its own with a tiny profile, in which ``dagster job execute -j full_reproduction`` is typed.
SIGKILL goes to one process alone, as the kernel does when memory runs out, at a moment drawn from the whole duration of
an undisturbed run, start and end of Python included: to the job's own, to one step's, to the one that steps are forked
from, to a worker of a step's pool, to an ffmpeg, or to the MLflow server that the run registers its models at. One that
is not there at its moment is waited for. A run that outlives the kill may end with status 0, or with the summary of
what stopped it. Then the same command is typed again, with nothing done by hand.

A trial is good if that ends with status 0; no process is left after a killed job nor at the end; Dagster calls a killed
run a failure and the last one a success; no pool slot is held; no MLflow run is RUNNING and a killed pipeline's is
FAILED (one killed when only its process was left stays a success); everything published is whole; and crops, shards,
weights, histories, predictions, figures and tables have the undisturbed run's sha256. Ends with status 1 unless all are
good.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from devtools import job_state
from devtools.chaos.line import LOOK, SUMMARY, Moment, draw_moments, last_told, project, start, undisturbed, wait_for
from devtools.chaos.trials import Trial, arguments, conclude, differences, play, type_again, work_folder
from devtools.tracking_server import TrackingServer

_PATIENCE = 60.0  # seconds for what a killed run leaves to be gone; a process that is starting must come up first
_SURVIVES = 600.0  # for a run whose process was not killed
_TRIES = 5
JOB, STEP, FORK_SERVER, WORKER, FFMPEG, SERVER = "job", "step", "fork server", "pool worker", "ffmpeg", "MLflow server"
#: Twenty of them; with more or fewer trials they repeat or end.
_PLAN = (JOB, STEP, WORKER, SERVER, FFMPEG, JOB, FORK_SERVER, STEP, JOB, WORKER, SERVER, JOB, STEP, FFMPEG, JOB,
         FORK_SERVER, SERVER, WORKER, STEP, JOB)  # fmt: skip
_NEEDS_WORK = (WORKER, FFMPEG)  # there only while data are made, in the first half
_EVALUATION = re.compile(rb" - [a-z0-9_]+__evaluation - STEP_START - ")


@dataclass
class Kill(Trial):
    """Result of one killed process and its run."""

    victim: str
    begins_with: str  # nothing, or data that is ready
    after: float = 0.0  # seconds
    last: str = ""  # message in its log
    ended_with: int | None = None
    succeeded: bool = False  # before it was killed
    alone_after: float | None = field(default=None)  # seconds until no process was left


def find_victims(kind: str, job: int) -> list[psutil.Process]:
    """Living processes of a kind that belong to a job."""
    with suppress(psutil.NoSuchProcess):
        own = psutil.Process(job)
        if kind == JOB:
            return [own]
        below = {process: _line(process) for process in own.children(recursive=True)}
        servers = [process for process, line in below.items() if "forkserver" in line and process.ppid() == job]
        if kind == FORK_SERVER:
            return servers
        numbers = {process.pid for process in servers}
        steps = [process for process in below if process.ppid() in numbers]
        if kind == STEP:
            return steps
        if kind == FFMPEG:
            return [process for process, line in below.items() if "ffmpeg" in Path(line.partition(" ")[0]).name]
        numbers = {process.pid for process in steps}
        return [process for process, line in below.items() if "spawn_main" in line and process.ppid() in numbers]
    return []


def _line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


class Disturber:
    """What all trials share: the undisturbed runs, and how one is disturbed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.whole, self.ready, self.seed = folder / "undisturbed", folder / "ready", seed
        self.seen = {"nothing": undisturbed(self.whole)}
        self.seen["data"] = undisturbed(self.ready, self.whole)
        self.expected = job_state.results(self.whole)
        if found := differences(job_state.results(self.ready), self.expected):
            raise SystemExit(f"two undisturbed runs differ: {found}")

    def plan(self, trials: int) -> list[Kill]:
        """Victims in turn; of those that are always there, every second begins with data."""
        planned = []
        for number in range(1, trials + 1):
            victim = _PLAN[(number - 1) % len(_PLAN)]
            ready = victim == SERVER or (victim not in _NEEDS_WORK and number % 2 == 0)
            planned.append(Kill(number, victim, "data" if ready else "nothing"))
        return planned

    def disturb(self, trial: Kill, folder: Path) -> None:
        """One trial."""
        rng = random.Random(f"{self.seed} {trial.number}")
        seen = self.seen[trial.begins_with]
        half = [row for row in seen if row[0] <= seen[-1][0] / 2]
        moment = draw_moments(half if trial.victim in _NEEDS_WORK else seen, 1, rng)[0]
        server = TrackingServer(folder.with_name(f"{folder.name}-server")) if trial.victim == SERVER else None
        try:
            for _ in range(_TRIES):
                shutil.rmtree(folder, ignore_errors=True)
                environment = project(folder, self.whole if trial.begins_with == "data" else None)
                if server is not None:
                    server.start()
                    environment["MLFLOW_TRACKING_URI"] = server.uri
                if self._kill(trial, moment, folder, environment, server, rng):
                    break
                moment = (moment[0] * 2 // 3, moment[1] / 2)  # it was faster this time, or such work was over
            else:
                trial.complaints.append(f"it had ended {_TRIES} times before anything could be killed")
            if server is not None:
                server.start()
            database = None if server is None else server.folder / "mlflow.db"
            type_again(trial, folder, environment, self.expected, database=database)
            self._judge(trial, folder)
        finally:
            if server is not None:
                server.kill()

    def _kill(
        self, trial: Kill, moment: Moment, folder: Path, environment: dict[str, str],
        server: TrackingServer | None, rng: random.Random,
    ) -> bool:  # fmt: skip
        """Type the line, and kill at the moment, or as soon as there is what to kill; false if the run had ended."""
        began = time.monotonic()
        process, log = start(folder, environment, "killed")
        if server is not None:
            _wait_for_evaluation(rng.randrange(1, 7), process, log)
            moment = (0, rng.uniform(0.0, 4.0))
        wait_for(moment, process, log)
        hit = False
        while process.poll() is None and not hit:
            if server is not None:
                server.kill()
                hit = True
            elif victims := find_victims(trial.victim, process.pid):
                with suppress(psutil.NoSuchProcess):
                    rng.choice(victims).kill()
                    hit = True
            else:
                time.sleep(LOOK / 4)
        trial.after, trial.last = round(time.monotonic() - began, 1), last_told(log)
        if not hit:
            return False
        try:
            trial.ended_with = process.wait(_SURVIVES)
        except subprocess.TimeoutExpired:
            trial.complaints.append(f"the run had not ended {_SURVIVES:.0f} s after the kill")
            process.kill()
            process.wait()
        self._look(trial, folder, log)
        return True

    def _look(self, trial: Kill, folder: Path, log: Path) -> None:
        """What the kill left."""
        trial.succeeded = "SUCCESS" in [status for _, status in job_state.dagster_runs(folder)]
        said = log.read_text(errors="replace")
        if trial.victim != JOB and trial.ended_with not in (0, None) and SUMMARY not in said:
            trial.complaints.append(f"it ended with {trial.ended_with} and no summary: {said[-2000:]}")
        alone = job_state.seconds_until_alone(folder, _PATIENCE)
        trial.alone_after = None if alone is None else round(alone, 1)
        if alone is None:
            left = [_line(process)[:80] for process in job_state.processes_of(folder)]
            trial.complaints.append(f"left running for {_PATIENCE:.0f} s: {left}")

    def _judge(self, trial: Kill, folder: Path) -> None:
        statuses = [status for _, status in job_state.dagster_runs(folder)]
        killed = "SUCCESS" if trial.succeeded else "FAILURE"
        if statuses not in ([killed, "SUCCESS"], ["SUCCESS"]):  # a process may be killed before it has made its run
            trial.complaints.append(f"Dagster's runs: {statuses}")


def _wait_for_evaluation(number: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until so many evaluations have begun: each registers its models."""
    while len(_EVALUATION.findall(log.read_bytes())) < number and process.poll() is None:
        time.sleep(LOOK)


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    given = arguments(__doc__, len(_PLAN)).parse_args()
    with work_folder(given) as folder:
        disturber = Disturber(folder, given.seed)
        times = ", ".join(f"from {name} {seen[-1][0]:.0f} s" for name, seen in disturber.seen.items())
        print(f"seed {given.seed}; undisturbed: {times}; {len(disturber.expected)} files", flush=True)
        trials = play(disturber.plan(given.trials), disturber.disturb, folder, given.at_once)
    conclude(given, "identical", trials)


if __name__ == "__main__":
    main()
