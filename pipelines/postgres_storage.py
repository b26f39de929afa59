"""Dagster's storage on a PostgreSQL server, whose tables one process makes, all of them or none.

``deploy/dagster.yaml`` names this class. Dagster makes its tables when its storage is first opened; processes that do
so at once run into each other, and a killed one leaves some, with which Dagster fails for ever, because it looks for
one of them only. So the tables are made in a schema of their own and moved to their place in one transaction. Keep out:
SQLite (``storage.py``), and the folders of runs (``shared_folders.py``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy

from nrdfer.core.errors import NrdferError
from nrdfer.core.postgres import connected, opened, tables, take_lock, with_driver
from pipelines.dagster_internals import ConfigurableClassData

try:
    from dagster_postgres import DagsterPostgresStorage
    from dagster_postgres.utils import pg_url_from_config
except ModuleNotFoundError as error:
    raise NrdferError(
        f"dagster.yaml keeps Dagster's history on a PostgreSQL server, and {error.name} is not installed here; run: "
        "pip install 'nrdfer[postgres]'"
    ) from error

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_SCHEMA = "nrdfer_dagster_new"
_OWN, _OTHERS = "daemon_heartbeats", "experiments"  # a table of Dagster's that MLflow has not, and the reverse
_log = logging.getLogger(__name__)


class SharedPostgresStorage(DagsterPostgresStorage):
    """As Dagster's ``postgres``, with its settings; ``postgresql://`` means the driver that is installed."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Open the storage; make its tables first if the database has none.

        Raises:
            NrdferError: it is MLflow's database, no schema can be made in it, or the settings ask for tokens.
        """
        if config_value.get("auth_provider") is not None:
            raise NrdferError(
                "auth_provider is not supported here: give a user and a password, or `storage: postgres:`"
            )
        url = with_driver(pg_url_from_config(config_value))
        if config_value.get("should_autocreate_tables", True):
            with opened(url) as engine:
                _make_tables(engine, url)
        return cls(inst_data=inst_data, postgres_url=url, should_autocreate_tables=False)


def _make_tables(engine: Engine, url: str) -> None:
    with connected(engine) as connection:
        if _are_there(connection):
            return
    with connected(engine) as connection:
        take_lock(connection, "tables of Dagster", lambda: _log.info("another process is making Dagster's tables"))
        if _are_there(connection):
            return
        with connected(engine) as other:  # committed at once: Dagster opens connections of its own
            other.execute(sqlalchemy.text(f"drop schema if exists {_SCHEMA} cascade"))  # of a killed process
            _create_schema(other)
        place = sqlalchemy.make_url(url).update_query_dict({"options": f"-csearch_path={_SCHEMA}"})
        DagsterPostgresStorage(place.render_as_string(hide_password=False))
        for name in _names(connection):
            connection.execute(sqlalchemy.text(f'alter table {_SCHEMA}."{name}" set schema "{_present(connection)}"'))
        connection.execute(sqlalchemy.text(f"drop schema {_SCHEMA} cascade"))


def _are_there(connection: Connection) -> bool:
    found = tables(connection)
    if _OTHERS in found and _OWN not in found:
        raise NrdferError(
            "dagster.yaml names MLflow's database, and both have a table named runs; create another database for "
            "Dagster on that server (createdb dagster), and name it"
        )
    return _OWN in found


def _create_schema(connection: Connection) -> None:
    try:
        connection.execute(sqlalchemy.text(f"create schema {_SCHEMA}"))
    except sqlalchemy.exc.ProgrammingError as error:
        raise NrdferError(
            f"Dagster's tables cannot be made: {str(error.orig).strip()}. Let the user of dagster.yaml create a schema "
            "the first time (grant create on database NAME to USER), or make it the database's owner"
        ) from error


def _names(connection: Connection) -> list[str]:
    question = "select tablename from pg_tables where schemaname = :schema"
    return list(connection.scalars(sqlalchemy.text(question), {"schema": _SCHEMA}))


def _present(connection: Connection) -> str:
    return str(connection.scalar(sqlalchemy.text("select current_schema()")))
