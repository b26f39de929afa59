"""What all trials on the job have in common: the line, moments of it, how a trial is judged, kept and told.

A trial types ``dagster job execute -j full_reproduction`` in a folder of its own with a tiny profile, disturbs it, and
types the same line again. How it is disturbed is the business of ``chaos_*.py``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import job_state
from own_places import json_file, take_folder

from nrdfer.core.own_files import write_made

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.end_to_end.project import LINE, environment_of, make_project, use_data_of

LOOK = 0.02  # seconds between two looks at a log
ENDS = 10.0  # within which the last process of a run that has ended is gone
SUMMARY = "what stopped this run"
_SEEN, _TRIAL = "seen.json", "trial.json"
#: Of the log, the lines of which every run has as many; others tell of waiting and of progress.
_EVENT = re.compile(rb" - (?:RUN|STEP)_(?:START|SUCCESS|OUTPUT|INPUT) - |ed (?:output|input) ")
Seen = list[tuple[float, int]]  # seconds since the start, and how far the run was then
Moment = tuple[int, float]  # how far a run is, and seconds after that


@dataclass
class Trial:
    """What became of one disturbed run; `complaints` is empty if all is well."""

    number: int
    again: float = field(default=0.0, kw_only=True)  # seconds that the line took at last
    complaints: list[str] = field(default_factory=list, kw_only=True)

    def line(self) -> str:
        """It in the table."""
        told = {k: v for k, v in asdict(self).items() if k not in ("number", "again", "complaints")}
        words = "  ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told.items())
        return f" {self.number:2}  {words}  again: {self.again:.0f} s  {'; '.join(self.complaints) or 'good'}"


Some = TypeVar("Some", bound=Trial)


def start(
    folder: Path, environment: dict[str, str], name: str, log_in: Path | None = None, group: int | None = None
) -> tuple[subprocess.Popen[bytes], Path]:
    """Type the line in a folder; returns the process and its log, which lies there or in another folder.

    With 0 as `group`, it and its children are a process group of their own.
    """
    log = (log_in or folder) / f"{name}.log"
    with log.open("wb") as file:
        return subprocess.Popen(LINE, cwd=folder, env=environment, stdout=file, stderr=file, process_group=group), log  # noqa: S603


def count_events(log: Path) -> int:
    """Events in a log that is being written."""
    return len(_EVENT.findall(log.read_bytes()))


def last_told(log: Path) -> str:
    """The last thing that a run's log tells."""
    told = [line for line in log.read_text(errors="replace").splitlines() if line.count(" - ") > 5]
    return " ".join(told[-1].split(" - ")[5:])[:60] if told else "nothing yet"


def project(folder: Path, source: Path | None = None) -> dict[str, str]:
    """A new folder with a tiny profile, and with the data of another or none; returns the environment."""
    environment = make_project(folder, epochs=1)
    if source is not None:
        use_data_of(source, folder)
    return environment


def undisturbed(
    folder: Path, source: Path | None = None, watch: Callable[[Path], dict[str, str]] = lambda _: {}
) -> Seen:
    """Run the line to its end in a new `project`; returns when its log had how many events.

    Args:
        folder: what an earlier call left there is taken as it is.
        source: as `project` has it.
        watch: called with the new folder; returns more of the environment.
    """
    if (folder / _SEEN).is_file():
        return [(float(at), int(events)) for at, events in json.loads((folder / _SEEN).read_text())]
    environment = {**project(folder, source), **watch(folder)}
    began = time.monotonic()
    process, log = start(folder, environment, "undisturbed")
    seen = [(0.0, 0)]
    while process.poll() is None:
        time.sleep(LOOK)
        events = count_events(log)
        if events > seen[-1][1]:
            seen.append((time.monotonic() - began, events))
    if process.returncode != 0:
        raise SystemExit(f"the undisturbed run failed with {process.returncode}:\n{log.read_text()[-6000:]}")
    seen.append((time.monotonic() - began, seen[-1][1]))
    (folder / _SEEN).write_text(json.dumps(seen))
    return seen


def draw_moments(seen: Seen, times: int, rng: random.Random) -> list[Moment]:
    """One random moment in each of as many equal stretches of a run, told from how far it was before it.

    So no part of the run is left out, and a moment is the same one on a machine that is slower now.
    """
    moments = []
    for stretch in range(times):
        moment = seen[-1][0] * (stretch + rng.random()) / times
        at, mark = max(row for row in seen if row[0] <= moment)
        moments.append((mark, moment - at))
    return moments


def wait_for(moment: Moment, process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait for a moment of a run; false if the run ended before."""
    while count_events(log) < moment[0] and process.poll() is None:
        time.sleep(LOOK)
    deadline = time.monotonic() + moment[1]
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(min(LOOK, moment[1]))
    return process.poll() is None


def type_again(
    trial: Trial, folder: Path, environment: dict[str, str], expected: dict[str, str], *,
    database: Path | None = None, log_in: Path | None = None,
) -> None:  # fmt: skip
    """Type the same line, with nothing done by hand, and complain of whatever is not as it should be then."""
    began = time.monotonic()
    process, log = start(folder, environment, "again", log_in)
    status = process.wait()
    trial.again = round(time.monotonic() - began, 1)
    if status != 0:
        trial.complaints.append(f"the same line ended with {status}: {log.read_text(errors='replace')[-3000:]}")
    trial.complaints += complaints_of(folder, expected, database)


def complaints_of(folder: Path, expected: dict[str, str], database: Path | None = None) -> list[str]:
    """Whatever is not as it should be in a folder after the line has ended with 0.

    Args:
        folder: of the project.
        expected: the undisturbed run's results.
        database: MLflow's, if it is not the project's own.
    """
    found = []
    if job_state.seconds_until_alone(folder, ENDS) is None:
        found.append("processes are left")
    runs = job_state.dagster_runs(folder)
    if not runs or runs[-1][1] != "SUCCESS" or {status for _, status in runs} - {"SUCCESS", "FAILURE"}:
        found.append(f"Dagster's runs: {[status for _, status in runs]}")
    if held := job_state.held_slots(folder):
        found.append(f"{held} pool slots are held")
    told = job_state.mlflow_runs(folder, database)
    for run_id, status in runs:
        meant = "FINISHED" if status == "SUCCESS" else "FAILED"
        pipelines = [row[1] for row in told if row[2:] == ("pipeline", run_id)]
        if any(one != meant for one in pipelines) or (status == "SUCCESS" and len(pipelines) != 1):
            found.append(f"MLflow's run of the run that is {status}: {pipelines}")
    if wrong := [row[:2] for row in told if row[1] == "RUNNING" or (row[2] == "training" and row[1] != "FINISHED")]:
        found.append(f"runs in MLflow: {wrong}")
    if left := job_state.left_files(folder):
        found.append(f"left: {left}")
    return found + job_state.damaged(folder) + differences(job_state.results(folder), expected)


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    """A complaint if not all bytes are the undisturbed run's."""
    other = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return [f"results differ in {other}"] if other else []


def arguments(doc: str | None, trials: int) -> argparse.ArgumentParser:
    """The options of every script of this kind."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=trials, help=f"how many ({trials})")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (0)")
    parser.add_argument("--at-once", type=int, default=1, help="trials side by side (1)")
    parser.add_argument("--folder", type=Path, help="to work in and to keep; what ended there is not repeated")
    parser.add_argument("--json", type=json_file, help="file to write")
    return parser


@contextmanager
def work_folder(given: argparse.Namespace) -> Iterator[Path]:
    """The folder of all trials; nothing of the caller's own project reaches them."""
    for name in ("NRDFER_HOME", "MLFLOW_TRACKING_URI"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        take_folder(folder)
        yield folder


def play(plan: Sequence[Some], work: Callable[[Some, Path], None], folder: Path, at_once: int = 1) -> list[Some]:
    """Make each trial in a folder of its own, and tell of it; one that an earlier call made is taken as it is."""

    def one(trial: Some) -> Some:
        own = folder / f"trial-{trial.number}"
        if (own / _TRIAL).is_file():
            return type(trial)(**json.loads((own / _TRIAL).read_text()))
        work(trial, own)
        own.mkdir(exist_ok=True)
        (own / _TRIAL).write_text(json.dumps(asdict(trial)))
        return trial

    done = []
    with ThreadPoolExecutor(at_once) as pool:
        for future in [pool.submit(one, trial) for trial in plan]:
            done.append(future.result())
            print(done[-1].line(), flush=True)
    return done


def conclude(given: argparse.Namespace, word: str, trials: Sequence[Trial], **more: Any) -> None:
    """Write the JSON if asked to, print how many trials were good, and end with status 1 unless all were."""
    good = sum(not trial.complaints for trial in trials)
    if given.json:
        told = {"seed": given.seed, **more, "good": good, "trials": [asdict(trial) for trial in trials]}
        write_made(given.json, json.dumps(told, indent=1).encode())
    print(f"{word}: {good} of {len(trials)}")
    if good != len(trials):
        raise SystemExit(1)


__all__ = [
    "Moment", "Seen", "Trial", "arguments", "complaints_of", "conclude", "count_events", "differences", "draw_moments",
    "environment_of", "play", "project", "start", "type_again", "undisturbed", "wait_for", "work_folder",
]  # fmt: skip
