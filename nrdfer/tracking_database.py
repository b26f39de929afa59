"""The SQLite file of the local MLflow: there as a whole, or not at all.

MLflow makes its tables in place, for seconds, by dozens of migrations. Two processes that do so at once crash each
other, and one that is killed leaves half a database, with which nothing starts any more. So it is made beside its
place and then put there. Keep out: what is stored (``tracking``).
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from pathlib import Path

import psutil

from nrdfer.addresses import sqlite_address, sqlite_path
from nrdfer.errors import TrackingError
from nrdfer.files import move_new

_QUIET = 3.0  # seconds in which a file that nobody has open did not change: nobody is making it
_PATIENCE = 120.0
_log = logging.getLogger(__name__)


def make_database(uri: str) -> None:
    """Make the database of a ``sqlite:`` address if it is not there; another address is not ours to make.

    One that another process (``mlflow ui``) is making is waited for; half a one that nobody makes is put aside. To
    be called by one process at a time.

    Raises:
        TrackingError: another process does not finish it.
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
    """Keep MLflow from making, besides, a folder that is called as the address is quoted."""
    from mlflow.store.db import utils

    vars(utils)["_make_parent_dirs_if_sqlite"] = lambda _uri: None  # that of the database is there


def is_whole(path: Path) -> bool:
    """Whether MLflow has made everything: its last step is the experiment that every database has."""
    if not path.exists():
        return False
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
        try:
            return bool(database.execute("select count(*) from experiments").fetchone()[0])
        except sqlite3.Error:  # no such table yet; or locked, while tables are being made
            return False


def _make(path: Path) -> None:
    """Make it beside its place, and put it there unless somebody else has begun meanwhile."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    for left in (fresh, *_beside(fresh), *_beside(path)):  # of one that was killed here; of one that is gone
        left.unlink(missing_ok=True)
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
    """Wait until the database is whole, or put it aside because nobody is making it."""
    deadline = time.monotonic() + _PATIENCE
    seen, since = path.stat().st_mtime_ns, time.monotonic()
    while not is_whole(path):
        now = time.monotonic()
        changed = path.stat().st_mtime_ns
        if changed != seen or _is_open(path):
            seen, since = changed, now
        if now - since > _QUIET:
            aside = path.with_name(f"{path.name}.half-made-{int(time.time())}")
            for left in _beside(path):  # SQLite would undo into the next database what this one had begun
                left.unlink(missing_ok=True)
            path.rename(aside)
            _log.warning("%s was half made by a process that was killed; it is put aside as %s", path, aside)
            return
        if now > deadline:
            raise TrackingError(
                f"{path}: another process has begun to make MLflow's database and does not finish it; end that "
                "process (is an `mlflow ui` hanging?), and run the same line again"
            )
        time.sleep(0.1)


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
