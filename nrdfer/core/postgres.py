"""PostgreSQL servers: the driver of an address, a connection, and a lock that all machines respect.

Dagster's storage and MLflow's are opened with it (``pipelines.postgres_storage``, ``nrdfer.tracking.server_database``).
Keep out: what their tables hold. SQLAlchemy is imported where it is used.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

#: The first installed one is used: dagster-postgres brings psycopg2.
DRIVERS = ("psycopg2", "psycopg")
_PLAIN = ("postgresql://", "postgres://")
CONNECT_SECONDS = 10  # libpq's own patience with a host that does not respond has no limit


def is_postgres(address: str) -> bool:
    """Whether an address is that of a PostgreSQL server, whatever its driver."""
    return address.lower().startswith((*_PLAIN, "postgresql+"))


def with_driver(address: str) -> str:
    """An address of which SQLAlchemy uses the installed driver; unchanged if it names one, or if none is installed.

    ``postgresql://`` alone means psycopg2 to SQLAlchemy 2.0 and psycopg to 2.1, installed or not.
    """
    for plain in _PLAIN:
        if address.lower().startswith(plain):
            driver = next((name for name in DRIVERS if importlib.util.find_spec(name) is not None), None)
            return address if driver is None else f"postgresql+{driver}://{address[len(plain) :]}"
    return address


@contextlib.contextmanager
def opened(address: str) -> Iterator[Engine]:
    """An engine that keeps no connection open between two uses.

    Args:
        address: with a driver, see `with_driver`.
    """
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        address, poolclass=sqlalchemy.NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
    )
    try:
        yield engine
    finally:
        engine.dispose()


@contextlib.contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction, which is committed at the end.

    Raises:
        ConnectionError: the server does not answer or refuses; in one line, and without a password.
    """
    import sqlalchemy

    try:
        connection = engine.connect()
    except sqlalchemy.exc.OperationalError as error:
        raise ConnectionError(str(error.orig).strip().replace("\n", " ")) from error
    with connection, connection.begin():
        yield connection


def take_lock(connection: Connection, name: str, busy: Callable[[], object]) -> None:
    """Wait for a lock that ends with the connection's transaction, or with its process, however that ends.

    A lock of a transaction and not of a session, because it works behind a connection pooler, too.

    Args:
        connection: in a transaction.
        name: of what only one process may do in this database.
        busy: called once before it waits.
    """
    import sqlalchemy

    key = {"name": f"nrdfer: {name}"}
    taken = connection.scalar(sqlalchemy.text("select pg_try_advisory_xact_lock(hashtextextended(:name, 0))"), key)
    if not taken:
        busy()
        connection.execute(sqlalchemy.text("select pg_advisory_xact_lock(hashtextextended(:name, 0))"), key)


def tables(connection: Connection) -> set[str]:
    """Names of the tables in the connection's schema."""
    import sqlalchemy

    question = "select tablename from pg_tables where schemaname = current_schema()"
    return set(connection.scalars(sqlalchemy.text(question)))
