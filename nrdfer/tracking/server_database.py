"""MLflow's tables on a PostgreSQL server: made by one process at a time, on whatever machine it is.

MLflow makes them when its store is first opened, without a lock that other machines know, and two that do so at once
crash each other. A killed one leaves nothing that the next would not complete: the migrations are one transaction. A
server of MLflow's own (``mlflow server``) does not take this lock, so what it is making is waited for. Keep out: SQLite
(``database``), and what is stored (``client``).
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nrdfer.core.addresses import displayed
from nrdfer.core.errors import AddressError, TrackingError
from nrdfer.core.postgres import connected, opened, tables, take_lock

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OTHERS = {"daemon_heartbeats", "event_logs"}  # of Dagster, which has a table `runs`, too
_REFUSED = "42501"  # PostgreSQL's code for a missing right
_PATIENCE = 120.0
_log = logging.getLogger(__name__)


def make_tables(uri: str, artifacts: str) -> None:
    """Make MLflow's tables in a database that has none.

    Args:
        uri: of the database, with its driver.
        artifacts: where the files of experiments belong that name no place of their own.

    Raises:
        ConnectionError: the server does not answer or refuses.
        AddressError: it is Dagster's database, or the user may make no tables.
        TrackingError: another process is making the tables and does not finish.
    """
    with opened(uri) as engine:
        with connected(engine) as connection:
            if _are_whole(connection, uri):
                return
        with connected(engine) as connection:
            take_lock(connection, "tables of MLflow", lambda: _log.info("another process is making MLflow's tables"))
            deadline = time.monotonic() + _PATIENCE
            why = ""
            while not _are_whole(connection, uri):
                if time.monotonic() > deadline:
                    raise TrackingError(
                        f"MLflow's tables in {displayed(uri)} could not be made within {_PATIENCE:.0f} s: {why}; is an "
                        "`mlflow server` making them and hanging?"
                    )
                why = _make(uri, artifacts)


def _are_whole(connection: Connection, uri: str) -> bool:
    """Whether MLflow has made everything: its last step is the experiment that every database has."""
    import sqlalchemy

    found = tables(connection)
    if found & _OTHERS and "experiments" not in found:
        raise AddressError(
            f"MLFLOW_TRACKING_URI={displayed(uri)} is Dagster's database, and both have a table named runs; create "
            "another database for MLflow on that server (createdb mlflow), and name it"
        )
    if not {"experiments", "alembic_version"} <= found:
        return False
    return bool(connection.scalar(sqlalchemy.text("select count(*) from experiments")))


def _make(uri: str, artifacts: str) -> str:
    """Make the tables; returns why not, if others seem to be making them."""
    import sqlalchemy
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    try:
        store = SqlAlchemyStore(uri, artifacts)  # type: ignore[no-untyped-call]
        store.engine.dispose()
    except (sqlalchemy.exc.ProgrammingError, sqlalchemy.exc.IntegrityError) as error:
        why = str(error.orig).strip().splitlines()[0]
        if _REFUSED in (getattr(error.orig, "pgcode", ""), getattr(error.orig, "sqlstate", "")):
            raise AddressError(
                f"MLflow's tables cannot be made in {displayed(uri)}: {why}. Make its user the owner of the database"
            ) from error
        _log.info("another process is making MLflow's tables (%s); waiting for it", why)
        time.sleep(1.0)
        return why
    return "it has no experiment"
