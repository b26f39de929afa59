"""Common parts of all trials on the job: options, folders, judging, storing and printing a trial.

A trial runs ``dagster job execute -j full_reproduction`` in a folder of its own with a tiny profile, disturbs it, and
runs the same command again. Keep out: the command and its moments (`devtools.chaos.line`), and the disturbances
(``scripts/chaos``).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from devtools import job_state
from devtools.chaos.line import start
from devtools.own_places import json_file, take_folder
from devtools.tiny_project import PROJECT
from nrdfer.core.own_files import write_made

ENDS = 10.0  # within which the last process of a run that has ended is gone
_TRIAL = "trial.json"
_SOURCES = "sources.sha256"


@dataclass
class Trial:
    """Result of one disturbed run; `complaints` is empty if there is no defect."""

    number: int
    again: float = field(default=0.0, kw_only=True)  # seconds that the line took at last
    complaints: list[str] = field(default_factory=list, kw_only=True)

    def line(self) -> str:
        """It in the table."""
        told = {k: v for k, v in asdict(self).items() if k not in ("number", "again", "complaints")}
        words = "  ".join(f"{name.replace('_', ' ')}: {value}" for name, value in told.items())
        return f" {self.number:2}  {words}  again: {self.again:.0f} s  {'; '.join(self.complaints) or 'good'}"


Some = TypeVar("Some", bound=Trial)


def type_again(
    trial: Trial, folder: Path, environment: dict[str, str], expected: dict[str, str], *,
    database: Path | None = None, log_in: Path | None = None,
) -> None:  # fmt: skip
    """Run the same command, with nothing done by hand, and record every defect afterwards."""
    began = time.monotonic()
    process, log = start(folder, environment, "again", log_in)
    status = process.wait()
    trial.again = round(time.monotonic() - began, 1)
    if status != 0:
        trial.complaints.append(f"the same command ended with {status}: {log.read_text(errors='replace')[-3000:]}")
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
        same_sources(folder)
        yield folder


def same_sources(folder: Path, project: Path = PROJECT) -> None:
    """Refuse a folder whose trials were made with other sources: keys and texts of results need not be the same there.

    Args:
        folder: of all trials; the digest of the sources is recorded in it.
        project: where the sources are.

    Raises:
        SystemExit: trials are there, and the sources have changed since.
    """
    digest = hashlib.sha256()
    for path in sorted(path for room in ("nrdfer", "assets", "pipelines") for path in (project / room).rglob("*.py")):
        digest.update(f"{path.relative_to(project)}\0".encode() + path.read_bytes())
    mark = folder / _SOURCES
    if not mark.exists():
        mark.write_text(digest.hexdigest())
    elif mark.read_text() != digest.hexdigest():
        raise SystemExit(
            f"{folder} holds trials of other sources of this project; their results cannot be compared with today's. "
            "Choose another folder"
        )


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
