"""Relocation of a project folder: the absolute paths in MLflow's database file are corrected at the start.

One transaction changes all of them, or none. Paths elsewhere on purpose (a server's artefacts, another project's) are
left unchanged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.state_files import read_state

_COLUMNS = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
_MOVED_FROM = "moved-from.json"  # a list of folders that this project's folder once was
_PATIENCE = 60.0
_log = logging.getLogger(__name__)


def relocate(database: Path, artifacts: Path, experiment: str, log: logging.Logger = _log) -> bool:
    """Update the artefact paths in a database to the present location; returns whether they had to be changed.

    To be called by one process at a time.

    Args:
        database: MLflow's SQLite file, in the project's folder.
        artifacts: the folder of its artefacts, beside it.
        experiment: name of the project's experiment.
        log: receives what was done, or why not.
    """
    # the folder of artefacts may itself be a link to a larger disk: MLflow knows it by its name here
    if database.resolve().parent != artifacts.parent.resolve() or not database.is_file():
        return False
    with contextlib.closing(sqlite3.connect(database, timeout=_PATIENCE, isolation_level=None)) as open_database:
        row = open_database.execute(
            "select artifact_location from experiments where name = ?", (experiment,)
        ).fetchone()
        old = _path_of(str(row[0])) if row else None
        if old is None or old == artifacts:
            return False
        if lost := _only_there(open_database, old, artifacts):
            log.warning(
                "MLflow's database %s names files in %s, and %s is not in %s; it stays as it is",
                database,
                old,
                lost,
                artifacts,
            )
            return False
        open_database.execute("begin immediate")
        changed = 0
        try:
            for table, columns in _COLUMNS.items():
                for column in columns:
                    for before, after in ((old.as_uri(), artifacts.as_uri()), (str(old), str(artifacts))):
                        changed += _replace(open_database, f"{table}.{column}", before, after)
            before, after = (json.dumps(str(place.parent))[1:-1] for place in (old, artifacts))
            open_database.execute(
                "update datasets set dataset_source = replace(dataset_source, ?, ?)", (f'"{before}/', f'"{after}/')
            )
            open_database.execute("commit")
        except BaseException:
            open_database.execute("rollback")
            raise
    _remember(artifacts.parent, old.parent)
    log.warning(
        "this project was in %s before; MLflow's database finds its files in %s now", old.parent, artifacts.parent
    )
    return True


def here(path: str | Path, home: Path) -> Path:
    """Present path of a file recorded while the project's folder was elsewhere; `path` itself if it exists."""
    place = Path(path)
    if place.exists():
        return place
    for former in _moved_from(home):
        if place.is_relative_to(former) and (now := home / place.relative_to(former)).exists():
            return now
    return place


def _replace(database: sqlite3.Connection, place: str, before: str, after: str) -> int:
    """Replace a prefix in every value of a column that has it; returns the number of changes."""
    table, column = place.split(".")
    done = database.execute(
        f"update {table} set {column} = ? || substr({column}, ?) "  # noqa: S608 - names of `_COLUMNS`
        f"where {column} = ? or substr({column}, 1, ?) = ?",
        (after, len(before) + 1, before, len(before) + 1, f"{before}/"),
    )
    return done.rowcount


def _only_there(database: sqlite3.Connection, old: Path, new: Path) -> str:
    """A folder named by MLflow that exists only in the old place; empty if relocation loses nothing."""
    if not old.is_dir():
        return ""
    for table, column in (("logged_models", "artifact_location"), ("runs", "artifact_uri")):
        for (value,) in database.execute(f"select {column} from {table}"):  # noqa: S608 - two names of this file
            there = _path_of(str(value))
            if there is None or not there.is_relative_to(old) or not there.exists():
                continue
            if not (new / there.relative_to(old)).exists():
                return str(there.relative_to(old))
    return ""


def _path_of(location: str) -> Path | None:
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(location) if location.startswith("/") else None


def _moved_from(home: Path) -> list[str]:
    return read_state(home / _MOVED_FROM, _places, _log) or []


def _places(document: Any) -> list[str]:
    if not isinstance(document, list) or not all(isinstance(place, str) for place in document):
        raise ValueError("it is no list of folders")
    return document


def _remember(home: Path, former: Path) -> None:
    places = [place for place in _moved_from(home) if place != str(former)]
    try:
        write_whole(home / _MOVED_FROM, json.dumps([str(former), *places]).encode())
    except OSError as error:  # lineage will name files in the former place as missing, nothing else
        _log.warning("%s could not be written: %s", home / _MOVED_FROM, error)
