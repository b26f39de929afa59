"""The PostgreSQL server of tests: a password is asked for, data outlive a restart, and it ends with who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devtools.postgres_server import PostgresServer, missing, postgres_server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing()), reason=missing())]
PROJECT = Path(__file__).resolve().parents[3]


def test_it_asks_for_a_password_and_keeps_its_data(tmp_path: Path) -> None:
    import psycopg2

    with postgres_server("things") as server:
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(server.url("things", "postgresql").replace(server.password, "another"))
        server.ask("create table t as select 7 as x", "things")
        for number in (signal.SIGINT, signal.SIGQUIT):  # stopped in order, and as by a crash
            server.stop(number)
            server.start()
            assert server.ask("select x from t", "things") == [(7,)]
        assert server.password not in server.log.read_text()
        line = " ".join(psutil.Process(server._process.pid).cmdline())  # type: ignore[union-attr]
        assert server.password not in line and "127.0.0.1" in line


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that the server's user can reach: those of pytest let only this user pass."""
    with tempfile.TemporaryDirectory(prefix="nrdfer-", dir="/tmp") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def test_it_ends_with_a_process_that_is_killed(passable: Path) -> None:
    start = (
        "import sys, pathlib\nfrom devtools.postgres_server import PostgresServer\n"
        f"server = PostgresServer(pathlib.Path({str(passable / 'server')!r}))\nserver.start()\n"
        "print(server._process.pid, flush=True)\nsys.stdin.read()"
    )
    (passable / "server").mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", start], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    server = psutil.Process(int(parent.stdout.readline()))
    everyone = [server, *server.children(recursive=True)]
    assert server.is_running() and len(everyone) > 3
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 30
    while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in everyone):
        assert time.monotonic() < deadline, "PostgreSQL outlived the process that started it"
        time.sleep(0.1)


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("devtools.postgres_server._DEBIAN", tmp_path)
    assert "no PostgreSQL" in missing() and str(tmp_path) in missing()
    with pytest.raises(RuntimeError, match="no PostgreSQL"):
        PostgresServer(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_folder_that_its_user_cannot_reach_is_refused_in_words(passable: Path) -> None:
    closed = passable / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(RuntimeError, match=r"may not pass through \S+/closed; choose a folder outside"):
        PostgresServer(closed / "server").start()
