"""State of a project folder, seen from outside: its runs, slots, MLflow runs, processes, results.

For scripts and tests that kill runs of the job. Reads the databases themselves, so that reading repairs nothing.
Keep out: judging the state (`devtools.chaos.trials`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil

from nrdfer.core.processes import MARK
from nrdfer.models.trained_files import HISTORY
from nrdfer.store.manifest import find_problems

_RESULTS = (
    "*.safetensors",
    "*.parquet",
    "*.npy",
    "*.tar",
    HISTORY,
    "metrics.json",
    "tables/*",
)


def _rows(database: Path, question: str) -> list[tuple[str, ...]]:
    if not database.is_file():
        return []
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
        try:
            return opened.execute(question).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def dagster_runs(folder: Path) -> list[tuple[str, ...]]:
    """Id and status of each run, oldest first."""
    return _rows(folder / ".dagster/storage/history/runs.db", "select run_id, status from runs order by id")


def held_slots(folder: Path) -> int:
    """Pool slots that are claimed, and steps that wait for one."""
    index = folder / ".dagster/storage/history/runs/index.db"
    slots = _rows(index, "select run_id from concurrency_slots where run_id is not null")
    return len(slots) + len(_rows(index, "select run_id from pending_steps"))


def mlflow_runs(folder: Path, database: Path | None = None) -> list[tuple[str, ...]]:
    """Name, status, role and Dagster run of each run that MLflow has, in the folder's own database or another."""
    tag = "(select value from tags where tags.run_uuid = runs.run_uuid and key = '{}')"
    question = f"select name, status, {tag.format('nrdfer.role')}, {tag.format('dagster.run_id')} from runs"  # noqa: S608
    return _rows(database or folder / ".nrdfer/mlflow.db", question)


def registry(folder: Path) -> dict[str, int]:
    """How many trainings, logged models and versions MLflow has."""
    questions = {
        "trainings": "select count(*) from tags where key = 'nrdfer.role' and value = 'training'",
        "logged models": "select count(*) from logged_models",
        "versions": "select count(*) from model_versions",
    }
    database = folder / ".nrdfer/mlflow.db"
    return {name: int(_rows(database, question)[0][0]) for name, question in questions.items()}


def results(folder: Path) -> dict[str, str]:
    """sha256 of every published file with a result, by its path in the store.

    Crops, shards, weights, histories, predictions, figures, the report's tables: all that does not tell of when and
    where it was made.
    """
    store = folder / ".nrdfer/store"
    paths = [path for kind in _RESULTS for path in store.glob(f"[!.]*/**/{kind}")]
    return {str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def artefacts(folder: Path) -> list[Path]:
    """Published folders of the store."""
    found = (folder / ".nrdfer/store").glob(f"[!.]*/**/{'[0-9a-f]' * 64}")
    return sorted(path for path in found if path.is_dir())


def damaged(folder: Path) -> list[str]:
    """What is wrong with published artefacts and pointers: nothing that can be seen may be in part."""
    found = []
    for path in artefacts(folder):
        found += [f"{path.parent.name} {path.name[:12]}: {problem}" for problem in find_problems(path, "full")]
    for path in (folder / ".nrdfer/pointers").glob("**/*.json"):
        try:
            json.loads(path.read_text())
        except ValueError as error:
            found.append(f"pointer {path.name}: {error}")
    return found


def left_files(folder: Path) -> list[str]:
    """Files that say that an MLflow run is open or untold."""
    home = folder / ".nrdfer"
    found = (path for name in ("pipeline-runs", "open-runs", "undelivered") for path in (home / name).glob("*"))
    return [str(path.relative_to(home)) for path in found]


def processes_of(folder: Path) -> Iterator[psutil.Process]:
    """Living processes that a run in this folder started, or that work in it."""
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARK, "").endswith(f" {folder / '.nrdfer'}")
            if process.status() != psutil.STATUS_ZOMBIE and (marked or Path(process.cwd()) == folder):
                yield process
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue


def seconds_until_alone(folder: Path, patience: float) -> float | None:
    """How long the last process of the folder takes to be gone; None if it is not within `patience` seconds."""
    began = time.monotonic()
    while any(True for _ in processes_of(folder)):
        if time.monotonic() - began > patience:
            return None
        time.sleep(0.1)
    return time.monotonic() - began
