"""The SQLite file of the local MLflow: it exists complete, or not at all.

MLflow makes its tables in place, for seconds, by dozens of migrations. Two processes that do so at once crash each
other, and one that is killed leaves half a database, with which nothing starts any more. So it is made under a
temporary name and then renamed. An existing one is opened as SQLite opens it, which rolls back what a killed process
had begun to write; only a database without a single experiment, in which there can be no data, is ever moved away. Keep
out: what is stored (``client``).
"""

from __future__ import annotations

import contextlib
import enum
import logging
import sqlite3
import time
from pathlib import Path

import psutil

from nrdfer.core.addresses import sqlite_address, sqlite_path
from nrdfer.core.atomic_files import move_new
from nrdfer.core.errors import TrackingError
from nrdfer.core.plain_text import one_line

_QUIET = 15.0  # seconds without a change after which a file that no process has open is not being made
_PATIENCE = 120.0
_WAIT = 1.0  # seconds that SQLite itself waits for a lock
#: The tables that MLflow makes first, and the one that says how far it is with the others.
_FIRST = frozenset({"experiments", "runs", "tags", "metrics", "params"})
_VERSION = "alembic_version"
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
_log = logging.getLogger(__name__)


class _State(enum.Enum):
    WHOLE = "whole"
    HALF_MADE = "half made"
    BUSY = "busy"


def make_database(uri: str) -> None:
    """Create the database of a ``sqlite:`` address if it is missing; other addresses are not ours to create.

    One that another process (``mlflow ui``) is making is waited for; one that was left half made is moved away. To
    be called by one process at a time.

    Raises:
        TrackingError: another process does not finish it; the file is something else, damaged, or cannot be read.
    """
    path = sqlite_path(uri)
    if path is None:
        return
    if "%" in uri:
        _keep_to_the_folder()
    while not is_whole(path):
        if path.exists():
            _wait_for_others(path)
        else:
            _make(path)
    path.open("r+b").close()  # what MLflow would find out after minutes of trying


def _keep_to_the_folder() -> None:
    """Keep MLflow from creating an additional folder under the quoted form of the address."""
    from mlflow.store.db import utils

    vars(utils)["_make_parent_dirs_if_sqlite"] = lambda _uri: None  # that of the database is there


def is_whole(path: Path) -> bool:
    """Whether MLflow has created everything: its last step is the experiment that every database has.

    Raises:
        TrackingError: the file is something else, damaged, or cannot be read.
    """
    return path.exists() and _look(path) is _State.WHOLE


def _look(path: Path) -> _State:
    # not "mode=ro": with that SQLite refuses what a killed process had begun to write, instead of undoing it
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_WAIT)) as database:
            names = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
            if not names:
                return _State.HALF_MADE
            if not ("experiments" in names and (_VERSION in names or names <= _FIRST)):
                listed = ", ".join(map(one_line, sorted(names)[:5]))
                raise TrackingError(
                    f"{path} is a database of something else (its tables: {listed}); it was left unchanged. Give "
                    "MLFLOW_TRACKING_URI a file that is not there yet"
                )
            (experiments,) = database.execute("select count(*) from experiments").fetchone()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BUSY:
            return _State.BUSY
        if code == sqlite3.SQLITE_NOTADB:
            raise TrackingError(
                f"{path} is not a database; it was left unchanged. Give MLFLOW_TRACKING_URI a file that is not there "
                "yet, or move this one away"
            ) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise TrackingError(
                f"{path} is damaged ({error}); it was left unchanged. Put a copy of it in its place, or move it away: "
                "then the next run makes a new one and fills it from the store"
            ) from error
        raise TrackingError(f"{path} cannot be read: {error}") from error
    return _State.WHOLE if experiments else _State.HALF_MADE


def _make(path: Path) -> None:
    """Create it under a temporary name, and rename it unless another process has begun meanwhile."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    for left in (fresh, *_beside(fresh)):  # of one that was killed here
        left.unlink(missing_ok=True)
    _rename_half_made(path)  # of one that is gone, whose changes SQLite would take for the new one's
    fresh.touch()  # what MLflow would find out after minutes of trying: no room, no right to write
    store = SqlAlchemyStore(sqlite_address(fresh), (path.parent / "mlartifacts").as_uri())  # type: ignore[no-untyped-call]
    store.engine.dispose()
    try:
        move_new(fresh, path)
    except FileExistsError:
        _log.info("another process is making %s", path)
    finally:
        fresh.unlink(missing_ok=True)


def _wait_for_others(path: Path) -> None:
    """Wait until the database is whole, or move it away because no process is creating it."""
    deadline = time.monotonic() + _PATIENCE
    seen, since = path.stat().st_mtime_ns, time.monotonic()
    while (state := _look(path)) is not _State.WHOLE:
        now = time.monotonic()
        changed = path.stat().st_mtime_ns
        if changed != seen or state is _State.BUSY or _is_open(path):
            seen, since = changed, now
        if now - since > _QUIET:
            moved_to = _rename_half_made(path)
            _log.warning("%s was left half made by a process that was killed; it is moved to %s", path, moved_to)
            return
        if now > deadline:
            raise TrackingError(
                f"{path}: another process has begun to make MLflow's database, or to write into it, and does not "
                "finish; end that process (is an `mlflow ui` hanging?), and run the same command again"
            )
        time.sleep(0.1)


def _rename_half_made(path: Path) -> Path:
    """Rename a database with its side files, so that together they can still be opened."""
    moved_to = path.with_name(f"{path.name}.half-made-{time.time_ns() // 1_000_000}")
    for file in (path, *_beside(path)):
        if file.exists():
            move_new(file, file.with_name(moved_to.name + file.name.removeprefix(path.name)))
    return moved_to


def _beside(path: Path) -> list[Path]:
    """Files that SQLite keeps beside a database while it is written."""
    return [path.with_name(f"{path.name}-{kind}") for kind in ("journal", "wal", "shm")]


def _is_open(path: Path) -> bool:
    """Whether a process of this machine has the file open."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if any(Path(file.path) == path for file in process.open_files()):
                return True
    return False
