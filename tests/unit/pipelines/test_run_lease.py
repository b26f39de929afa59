"""A run's lock in a real PostgreSQL: seen from another project folder, lost and taken again, released by a kill."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from nrdfer.core import leases
from pipelines import run_lease

psycopg2 = pytest.importorskip("psycopg2", reason="the extra 'postgres' is not installed")
from pipelines import postgres_lease  # noqa: E402

pytestmark = pytest.mark.slow
_DOMAIN = {"user": "postgres"} if os.getuid() == 0 else {}  # the server refuses root
RUN_ID = "00000000-0000-4000-8000-000000000001"
HOLDER = """
import sys
from pipelines import postgres_lease
postgres_lease.EVERY = postgres_lease.PAUSE = 0.1
postgres_lease.take(*sys.argv[1:])
print(flush=True)
sys.stdin.read()
"""


class Server:
    """A server of its own on a free port of 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.data = folder / "data"
        self.url = f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/postgres"
        self._call("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._call(
            "pg_ctl", "-D", str(self.data), "-w", "-t", "240", "-l", str(self.data / "log"), "-o", options, "start"
        )

    def stop(self) -> None:
        self._call("pg_ctl", "-D", str(self.data), "-w", "-m", "immediate", "stop")

    def _call(self, *line: str) -> None:
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, cwd="/", **_DOMAIN)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("there is no PostgreSQL server (initdb, pg_ctl) on this machine")
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        if _DOMAIN:
            shutil.chown(folder, "postgres")
        made = Server(folder)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def holder(server: Server) -> Iterator[subprocess.Popen[str]]:
    line = [sys.executable, "-c", HOLDER, server.url, RUN_ID]
    made = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None and made.stdout.readline() == "\n"
    yield made
    made.kill()
    made.communicate()


def wait_until(server: Server, *, free: bool) -> None:
    deadline = time.monotonic() + 120
    while bool(postgres_lease.free(server.url, [RUN_ID])) is not free:
        assert time.monotonic() < deadline, f"the lock never was {'free' if free else 'held'}"
        time.sleep(0.05)


def test_a_kill_releases_the_lock(server: Server, holder: subprocess.Popen[str]) -> None:
    assert postgres_lease.free(server.url, [RUN_ID, "another"]) == {"another"}
    holder.kill()
    wait_until(server, free=True)


def test_a_server_that_was_restarted_is_told_again(server: Server, holder: subprocess.Popen[str]) -> None:
    server.stop()
    assert postgres_lease.free(server.url, [RUN_ID]) == set()  # nobody knows, so nothing is free
    server.start()
    wait_until(server, free=False)
    assert holder.poll() is None


def test_a_forked_child_neither_keeps_the_lock_nor_ends_its_parents(server: Server) -> None:
    code = """
import gc, os, sys, time
from pipelines import postgres_lease
postgres_lease.take(*sys.argv[1:])
reading, writing = os.pipe()
if os.fork() == 0:
    gc.collect()
    os.write(writing, b"x")
    sys.stdin.read()
    os._exit(0)
os.read(reading, 1)
print(len(postgres_lease.free(sys.argv[1], sys.argv[2:])), flush=True)
time.sleep(1000)
"""
    line = [sys.executable, "-c", code, server.url, RUN_ID]
    parent = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None and parent.stdout.readline() == "0\n"
        parent.kill()
        wait_until(server, free=True)
    finally:
        parent.kill()
        parent.communicate()


@dg.job
def some_job() -> None:
    """A job without steps."""


def test_a_copied_folder_does_not_take_the_originals_runs_for_dead(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder: subprocess.Popen[str]
) -> None:
    """A copy has the original's id, but not its leases."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {run_lease.lease_tag(RUN_ID).popitem()[0]: f"{leases.home_id()} {RUN_ID}"}
        run = dg.DagsterRun(job_name="j", run_id=RUN_ID, status=dg.DagsterRunStatus.STARTED, tags=tags)
        monkeypatch.setattr(run_lease, "postgres_url", lambda _: server.url)
        assert not run_lease.is_process_over(instance, run)
        holder.kill()
        holder.wait()
        wait_until(server, free=True)
        assert run_lease.is_process_over(instance, run)


def test_a_run_of_another_projects_folder_is_dead_when_its_lock_is_free_twice(
    server: Server, holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    waited: list[float] = []
    monkeypatch.setattr(run_lease, "time", SimpleNamespace(sleep=waited.append))  # other threads sleep as ever
    storage = {"storage": {"postgres": {"postgres_url": server.url}}}
    with dg.instance_for_test(temp_dir=str(tmp_path), overrides=storage) as instance:
        assert run_lease.postgres_url(instance) == server.url
        tag = {"nrdfer/lease": f"{'0' * 32} {RUN_ID}"}
        instance.create_run_for_job(some_job, run_id=RUN_ID, status=dg.DagsterRunStatus.STARTED, tags=tag)
        assert RUN_ID in {record.dagster_run.run_id for record in instance.get_run_records()}
        assert run_lease.dead(instance, instance.get_run_records()) == []
        assert waited == []
        holder.kill()
        wait_until(server, free=True)
        assert [run.run_id for run in run_lease.dead(instance, instance.get_run_records())] == [RUN_ID]
        assert waited == [run_lease.TWICE]
        with run_lease.held(instance, RUN_ID):  # this process executes it now, in this folder
            assert run_lease.dead(instance, instance.get_run_records()) == []
        assert postgres_lease.free(server.url, [RUN_ID]) == set()
        assert not leases.is_over(RUN_ID)
