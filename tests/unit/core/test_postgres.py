"""PostgreSQL: which driver an address gets, and a lock of which one process at a time holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.postgres_server import missing, postgres_server
from nrdfer.core import addresses, paths
from nrdfer.core.postgres import connected, is_postgres, opened, take_lock, with_driver
from nrdfer.tracking.client import Tracking


@pytest.mark.parametrize("plain", ["postgresql://", "postgres://", "PostgreSQL://"])
def test_a_plain_address_gets_the_driver_that_is_installed(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"psycopg2", "psycopg"}
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in installed else None)
    assert is_postgres(plain + "h/db")
    assert with_driver(plain + "h/Db") == "postgresql+psycopg2://h/Db"
    installed.remove("psycopg2")
    assert with_driver(plain + "h/Db") == "postgresql+psycopg://h/Db"
    installed.clear()
    assert with_driver(plain + "h/Db") == plain + "h/Db"


@pytest.mark.parametrize("address", ["postgresql+asyncpg://h/db", "http://postgresql/db", "sqlite:////postgres/db"])
def test_any_other_address_stays(address: str) -> None:
    assert with_driver(address) == address


def test_mlflows_address_is_rewritten_for_this_process_and_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("psycopg2")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:s3cr3t-word@h:5/db")
    assert paths.tracking_uri() == "postgresql+psycopg2://me@h:5/db"
    addresses.settle_environment()
    assert os.environ["MLFLOW_TRACKING_URI"] == "postgresql+psycopg2://me@h:5/db"
    assert os.environ["PGPASSWORD"] == "s3cr3t-word"
    assert Tracking().address == "postgresql+psycopg2://***@h:5/db"


@pytest.mark.slow
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_one_process_at_a_time_and_the_next_one_when_it_is_killed(tmp_path: Path) -> None:
    hold = (
        "import os, sys, nrdfer.core.postgres as p\n"
        "with p.opened(os.environ['URL']) as engine, p.connected(engine) as connection:\n"
        "    p.take_lock(connection, 'a thing', lambda: None)\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    with postgres_server("d") as server, opened(server.url("d")) as engine:
        environment = os.environ | {"URL": server.url("d")}
        holder = subprocess.Popen(
            [sys.executable, "-c", hold], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        waited: list[bool] = []
        with connected(engine) as connection:
            take_lock(connection, "another thing", lambda: waited.append(True))
            assert not waited
            # the holder is killed once somebody waits
            take_lock(connection, "a thing", lambda: (waited.append(True), holder.kill()))
        assert waited == [True]
        holder.wait()
        server.stop()
        with pytest.raises(ConnectionError, match="onnection refused") as refused, connected(engine):
            pass
        assert "\n" not in str(refused.value) and server.password not in str(refused.value)
