"""A run's lease in PostgreSQL: an advisory lock on a connection that the run's process keeps open.

The server releases it when the process, its host or its network ends; keepalives on both sides let it notice the last
two within a minute. Needs connections of its own: a pooler that shares them between transactions (PgBouncer's
``transaction`` mode) loses the lock. Keep out: when it is asked (``run_lease.py``).
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from typing import Any

import psycopg2

from nrdfer.core.errors import StoreError

EVERY = 10.0  # seconds between two pings of a connection
PAUSE = 2.0  # seconds before a lost connection is made again
_PATIENCE = 10  # seconds for another holder to let go
# a dead peer is noticed after at most 10 + 3 x 5 seconds, unacknowledged data after 25
_CLIENT = {
    "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 25_000, "connect_timeout": 10, "application_name": "nrdfer lease",
}  # fmt: skip
_SERVER = {
    "tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3, "tcp_user_timeout": 25_000,
    "lock_timeout": _PATIENCE * 1000,
}  # fmt: skip
_log = logging.getLogger(__name__)
_kept: dict[tuple[str, str], _Kept] = {}


def take(url: str, run_id: str) -> None:
    """Hold the lock of a run until this process ends; nothing happens if it holds it already.

    Args:
        url: SQLAlchemy's, of Dagster's storage.
        run_id: of the run.

    Raises:
        StoreError: another process holds it, or the server does not answer.
    """
    if (url, run_id) not in _kept:
        try:
            _kept[url, run_id] = _Kept(url, run_id)
        except psycopg2.Error as error:
            raise StoreError(
                f"the lock of run {run_id} cannot be taken in Dagster's PostgreSQL ({_kind(error)}): the server does "
                "not answer, or another process executes this run; end the other one, or start the run again"
            ) from None


def free(url: str, run_ids: Iterable[str]) -> set[str]:
    """Those of the runs whose lock nobody holds; none if the server does not answer.

    Args:
        url: as for `take`.
        run_ids: of the runs.
    """
    found = set()
    try:
        with closing(_connect(url)) as connection, connection.cursor() as cursor:
            for run_id in run_ids:
                # shared: two that ask at once must not take each other for the holder
                cursor.execute("SELECT pg_try_advisory_lock_shared(%s)", (key(run_id),))
                if cursor.fetchone() == (True,):
                    found.add(run_id)
                    cursor.execute("SELECT pg_advisory_unlock_shared(%s)", (key(run_id),))
    except psycopg2.Error as error:
        _log.warning("PostgreSQL does not tell which runs live (%s), so they are left alone", _kind(error))
        return set()
    return found


def key(run_id: str) -> int:
    """Key of a run's advisory lock: 64 bits of a digest, signed as PostgreSQL wants it."""
    return int.from_bytes(hashlib.sha256(f"nrdfer run {run_id}".encode()).digest()[:8], "big", signed=True)


class _Kept:
    """A lock and the thread that keeps its connection; taken again where the server was restarted."""

    def __init__(self, url: str, run_id: str) -> None:
        self._url, self._run_id = url, run_id
        self._connection = self._locked()
        threading.Thread(target=self._keep, name="postgres-lease", daemon=True).start()

    def forget(self) -> None:
        """In a forked child: let go of the connection without a word to the server, whose peer is the parent."""
        with suppress(psycopg2.Error, OSError):
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, self._connection.fileno())
            os.close(nothing)

    def _locked(self) -> Any:
        connection = _connect(self._url)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", (key(self._run_id),))
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep(self) -> None:
        while True:
            time.sleep(EVERY)
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except psycopg2.Error as error:
                _log.warning("the connection that holds the lock of run %s is lost: %s", self._run_id, _kind(error))
                self._connection.close()
                self._take_again()

    def _take_again(self) -> None:
        while True:
            try:
                self._connection = self._locked()
            except psycopg2.Error:
                time.sleep(PAUSE)
            else:
                _log.warning("the lock of run %s is held again", self._run_id)
                return


def _connect(url: str) -> Any:
    scheme, _, rest = url.partition("://")
    connection = psycopg2.connect(f"{scheme.partition('+')[0]}://{rest}", **_CLIENT)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for name, value in _SERVER.items():
            cursor.execute(f"SET {name} = {value:d}")
    return connection


def _kind(error: psycopg2.Error) -> str:
    """Of an error its class alone: the message may repeat the address."""
    return type(error).__name__


def _forget() -> None:
    for kept in _kept.values():
        kept.forget()
    _kept.clear()


os.register_at_fork(after_in_child=_forget)
