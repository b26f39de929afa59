"""Kill the job's process at random moments and type the same line again: ``make chaos-job``.

    python scripts/chaos_job.py [--kills 15] [--seed 0] [--at-once 1] [--json FILE]

Every trial is a folder of its own with a tiny profile, in which ``dagster job execute -j full_reproduction`` is typed;
half of them begin from nothing, half with data that is ready. SIGKILL goes to the job's process alone, as the kernel
does when memory runs out, at a moment drawn from the whole duration of an undisturbed run, start and end of Python
included. Then the same line is typed again, with nothing done by hand. A trial is good if that ends with status 0; no
process is left after the kill nor at the end; Dagster calls the killed run a failure and the other one a success; no
pool slot is held; no MLflow run is RUNNING and the killed pipeline's is FAILED (one killed when only its process was
left stays a success); and weights and figures have the sha256 of the undisturbed run's. Ends with status 1 unless all
are good.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import job_state

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.end_to_end.project import LINE, make_project, use_data_of

_PATIENCE = 60.0  # seconds for what a killed run leaves to be gone; a process that is starting must come up first
_ENDS = 10.0  # the same at the end of a run that was not killed
_LOOK = 0.02
_SEEN, _TRIAL = "seen.json", "trial.json"
_TRIES = 5
#: Of the log, the lines of which every run has as many; others tell of waiting and of progress.
_EVENT = re.compile(rb" - (?:RUN|STEP)_(?:START|SUCCESS|OUTPUT|INPUT) - |ed (?:output|input) ")
Moment = tuple[int, float]  # events in the job's log, and seconds after them


@dataclass
class Trial:
    """What became of one killed run."""

    number: int
    start: str  # "nothing" or "data"
    events: int  # in its log when it was killed
    after: float = 0.0  # seconds
    last: str = ""  # thing that its log told
    succeeded: bool = False  # before it was killed
    alone_after: float | None = None  # seconds until no process was left
    again: float = 0.0  # seconds of the second run
    complaints: list[str] = field(default_factory=list)


def start(folder: Path, environment: dict[str, str], name: str) -> tuple[subprocess.Popen[bytes], Path]:
    """Type the line in a folder; returns the process and its log."""
    log = folder / f"{name}.log"
    with log.open("wb") as file:
        return subprocess.Popen(LINE, cwd=folder, env=environment, stdout=file, stderr=file), log  # noqa: S603


def count_events(log: Path) -> int:
    """Events in a log that is being written."""
    return len(_EVENT.findall(log.read_bytes()))


def undisturbed(folder: Path, source: Path | None = None) -> list[tuple[float, int]]:
    """Run the line to its end, with the data of another folder or none; returns when its log had how many events."""
    if (folder / _SEEN).is_file():  # an earlier call did it
        return [(float(at), int(events)) for at, events in json.loads((folder / _SEEN).read_text())]
    environment = make_project(folder)
    if source is not None:
        use_data_of(source, folder)
    began = time.monotonic()
    process, log = start(folder, environment, "undisturbed")
    seen = [(0.0, 0)]
    while process.poll() is None:
        time.sleep(_LOOK)
        events = count_events(log)
        if events > seen[-1][1]:
            seen.append((time.monotonic() - began, events))
    if process.returncode != 0:
        raise SystemExit(f"the undisturbed run failed:\n{log.read_text()[-6000:]}")
    seen.append((time.monotonic() - began, seen[-1][1]))
    (folder / _SEEN).write_text(json.dumps(seen))
    return seen


def draw_moments(seen: list[tuple[float, int]], times: int, rng: random.Random) -> list[Moment]:
    """One random moment in each of as many equal stretches of a run, told from the event before it.

    So no part of the run is left out, and a moment is the same one on a machine that is slower now.
    """
    duration, moments = seen[-1][0], []
    for stretch in range(times):
        moment = duration * (stretch + rng.random()) / times
        at, events = max(row for row in seen if row[0] <= moment)
        moments.append((events, moment - at))
    return moments


def kill_at(trial: Trial, moment: Moment, folder: Path, environment: dict[str, str]) -> bool:
    """Type the line, and kill its process at the moment; false if it had ended by then."""
    began = time.monotonic()
    process, log = start(folder, environment, "killed")
    while count_events(log) < moment[0] and process.poll() is None:
        time.sleep(_LOOK)
    time.sleep(moment[1])
    trial.after = round(time.monotonic() - began, 1)
    if process.poll() is not None:
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    told = [line for line in log.read_text(errors="replace").splitlines() if line.count(" - ") > 5]
    trial.succeeded = "SUCCESS" in [status for _, status in job_state.dagster_runs(folder)]
    trial.events = count_events(log)
    trial.last = " ".join(told[-1].split(" - ")[5:])[:60] if told else "nothing yet"
    alone = job_state.seconds_until_alone(folder, _PATIENCE)
    trial.alone_after = None if alone is None else round(alone, 1)
    if alone is None:
        left = [" ".join(process.cmdline())[:80] for process in job_state.processes_of(folder)]
        trial.complaints.append(f"left running for {_PATIENCE:.0f} s: {left}")
    return True


def judge(trial: Trial, folder: Path, expected: dict[str, str]) -> None:
    """Complain of whatever is not as it should be after the second run."""
    say = trial.complaints.append
    if job_state.seconds_until_alone(folder, _ENDS) is None:
        say("processes are left after the second run")
    runs = job_state.dagster_runs(folder)
    statuses = [status for _, status in runs]
    killed = "SUCCESS" if trial.succeeded else "FAILURE"
    if statuses not in ([killed, "SUCCESS"], ["SUCCESS"]):  # a process may be killed before it has made its run
        say(f"Dagster's runs: {statuses}")
    if held := job_state.held_slots(folder):
        say(f"{held} pool slots are held")
    told = job_state.mlflow_runs(folder)
    for run_id, status in runs:
        meant = "FINISHED" if status == "SUCCESS" else "FAILED"
        pipelines = [row[1] for row in told if row[2:] == ("pipeline", run_id)]
        if any(found != meant for found in pipelines) or (status == "SUCCESS" and len(pipelines) != 1):
            say(f"MLflow's run of the run that is {status}: {pipelines}")
    if wrong := [row[:2] for row in told if row[2] == "training" and row[1] != "FINISHED"]:
        say(f"trainings in MLflow: {wrong}")
    if left := job_state.left_files(folder):
        say(f"left: {left}")
    found = job_state.results(folder)
    if found != expected:
        say(f"results differ in {sorted(k for k in {*found, *expected} if found.get(k) != expected.get(k))}")


def disturb(trial: Trial, moment: Moment, whole: Path, folder: Path, expected: dict[str, str]) -> Trial:
    """One trial."""
    if (folder / _TRIAL).is_file():  # an earlier call did it
        return Trial(**json.loads((folder / _TRIAL).read_text()))
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        environment = make_project(folder)
        if trial.start == "data":
            use_data_of(whole, folder)
        if kill_at(trial, moment, folder, environment):
            break
        moment = (max(moment[0] - 1, 0), moment[1] / 2)  # it was faster this time
    else:
        trial.complaints.append(f"it had ended {_TRIES} times before it could be killed")
    began = time.monotonic()
    process, log = start(folder, environment, "again")
    status = process.wait()
    trial.again = round(time.monotonic() - began, 1)
    if status != 0:
        trial.complaints.append(f"the same line ended with {status}: {log.read_text()[-3000:]}")
    judge(trial, folder, expected)
    (folder / _TRIAL).write_text(json.dumps(asdict(trial)))
    return trial


def chaos(given: argparse.Namespace, folder: Path) -> list[Trial]:
    """All trials; tells of each as it ends."""
    whole, ready, rng = folder / "undisturbed", folder / "ready", random.Random(given.seed)
    seen = undisturbed(whole)
    expected = job_state.results(whole)
    print(
        f"seed {given.seed}; undisturbed: {seen[-1][0]:.0f} s, {seen[-1][1]} events, {len(expected)} files", flush=True
    )
    with ThreadPoolExecutor(given.at_once) as pool:

        def begin(kind: str, first: int, moments: list[Moment]) -> list[Future[Trial]]:
            return [
                pool.submit(disturb, Trial(n, kind, moment[0]), moment, whole, folder / f"trial-{n}", expected)
                for n, moment in enumerate(moments, start=first)
            ]

        pending = begin("nothing", 1, draw_moments(seen, (given.kills + 1) // 2, rng))
        if given.kills > 1:
            seen = undisturbed(ready, whole)
            if job_state.results(ready) != expected:
                raise SystemExit("two undisturbed runs differ")
            print(f"with data that is ready: {seen[-1][0]:.0f} s, {seen[-1][1]} events", flush=True)
            pending += begin("data", len(pending) + 1, draw_moments(seen, given.kills // 2, rng))
        print("  n  begins with  killed after  events  alone after     again", flush=True)
        trials = []
        for future in pending:
            trials.append(future.result())
            print(line_of(trials[-1]), flush=True)
    return trials


def line_of(trial: Trial) -> str:
    """A trial's line of the table."""
    alone = "never" if trial.alone_after is None else f"{trial.alone_after:.1f} s"
    return (
        f" {trial.number:2}  {trial.start:11}  {trial.after:10.1f} s  {trial.events:6}  {alone:>11}  "
        f"{trial.again:6.1f} s  {'; '.join(trial.complaints) or 'good'}    (it said: {trial.last})"
    )


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=15, help="trials")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--at-once", type=int, default=1, help="trials side by side")
    parser.add_argument("--folder", type=Path, help="to work in and to keep; what ended there is not repeated")
    parser.add_argument("--json", type=Path, help="file to write")
    given = parser.parse_args()
    os.environ.pop("NRDFER_HOME", None)
    with tempfile.TemporaryDirectory(prefix="chaos-job-") as temporary:
        trials = chaos(given, (given.folder or Path(temporary)).resolve())
    told: dict[str, Any] = {"seed": given.seed, "trials": [asdict(trial) for trial in trials]}
    if given.json:
        given.json.write_text(json.dumps(told, indent=1))
    good = sum(not trial.complaints for trial in trials)
    print(f"repaired: {good} of {len(trials)}")
    if good != len(trials):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
