"""SQLite databases of Dagster's storage, kept open for as long as a run lasts.

Dagster opens and closes a database for every event that it stores. Whoever closes the last connection to a database in
WAL mode copies the whole log into it, waits for the disk several times, and removes the log; with one connection held
by the run's process, an event waits once, for its own commit. Nothing is read or written through that connection.
Keep out: other storages (PostgreSQL keeps its server's connections), and processes that are forked: a connection must
not pass a fork.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

_INDEX = "index"  # the database of the events of all runs that concern assets
_RUNS = "runs.db"  # of the runs themselves, beside the folder of their events
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def kept_open(instance: dg.DagsterInstance, run_id: str) -> Iterator[list[Path]]:
    """Hold a connection to each database that a run's processes write to.

    Args:
        instance: whose storage it is; of any other than SQLite nothing is opened.
        run_id: of the run.

    Yields:
        The databases that are held; one that cannot be opened is left to those who need it, who report why.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for path in _databases(instance, run_id):
            try:
                connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, check_same_thread=False)
                stack.callback(connection.close)
                connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # a connection opens when it reads
            except sqlite3.Error as error:
                _log.debug("%s is not kept open: %s", path, error)
            else:
                opened.append(path)
        yield opened


def _databases(instance: dg.DagsterInstance, run_id: str) -> list[Path]:
    path_of = getattr(instance.event_log_storage, "path_for_shard", None)
    if path_of is None:
        return []
    index = Path(path_of(_INDEX))
    return [path for path in (Path(path_of(run_id)), index, index.parent.parent / _RUNS) if path.is_file()]
