"""MLflow's database appears whole, whoever was killed while making it."""

from __future__ import annotations

import logging
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from nrdfer.core.errors import TrackingError
from nrdfer.tracking import database as tracking_database
from nrdfer.tracking.database import is_whole, make_database


@pytest.fixture
def place(tmp_path: Path, fresh_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a database shall be; making one is replaced by a copy, because it takes seconds."""
    monkeypatch.setattr(tracking_database, "_make", lambda path: shutil.copy(fresh_database, path))
    monkeypatch.setattr(tracking_database, "_QUIET", 0.3)
    return tmp_path / "mlflow.db"


def half_made(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("create table experiments (experiment_id integer)")
        database.commit()


def test_a_whole_one_is_left_alone(place: Path, fresh_database: Path) -> None:
    shutil.copy(fresh_database, place)
    before = place.stat()
    make_database(f"sqlite:///{place}")
    assert is_whole(place) and place.stat().st_mtime_ns == before.st_mtime_ns
    assert not is_whole(place.with_name("missing.db"))


def test_an_address_of_a_server_is_not_ours_to_make(tmp_path: Path) -> None:
    make_database("http://127.0.0.1:1")
    assert list(tmp_path.iterdir()) == []


def test_half_a_one_is_put_aside_with_what_belongs_to_it(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    killed_while_it_writes(place, "create table experiments (experiment_id integer)", "create table runs (x)")
    caplog.set_level(logging.WARNING)
    make_database(f"sqlite:///{place}")
    assert is_whole(place) and not place.with_name("mlflow.db-journal").exists()
    (aside,) = [path for path in place.parent.glob("mlflow.db.half-made-*") if path.name[-1].isdigit()]
    with closing(sqlite3.connect(aside)) as database:
        assert database.execute("select name from sqlite_master").fetchall() == [("experiments",)]
    assert "was left half made by a process that was killed" in caplog.text


def killed_while_it_writes(path: Path, *statements: str, wal: bool = False) -> None:
    """All but the last statement are kept; a process is killed in the middle of the last one's transaction.

    Its pages are on the disk already, as they are when a transaction is larger than SQLite's cache.
    """
    code = f"""
import os, signal, sqlite3
database = sqlite3.connect({str(path)!r}, isolation_level=None)
database.execute("pragma journal_mode = {"wal" if wal else "delete"}")
database.execute("pragma cache_size = 1")
for statement in {list(statements[:-1])!r}:
    database.execute(statement)
if not {wal}:
    database.execute("begin")
database.execute({statements[-1]!r})
if not {wal}:
    database.execute("create table filler (x)")
    database.executemany("insert into filler values (?)", [("x" * 4000,)] * 200)
os.kill(os.getpid(), signal.SIGKILL)
"""  # noqa: S608
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL


@pytest.mark.parametrize("wal", [False, True])
def test_one_whose_writer_was_killed_is_mended_and_kept(place: Path, fresh_database: Path, wal: bool) -> None:
    shutil.copy(fresh_database, place)
    add = "insert into experiments (experiment_id, name) values ({}, 'mine {}')"
    killed_while_it_writes(place, add.format(77, 1), add.format(78, 2), wal=wal)
    assert place.with_name("mlflow.db-wal" if wal else "mlflow.db-journal").stat().st_size > 0
    make_database(f"sqlite:///{place}")
    assert list(place.parent.glob("*half-made*")) == []
    with closing(sqlite3.connect(place)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        found = database.execute("select name from experiments where experiment_id > 70").fetchall()
    assert found == [("mine 1",), ("mine 2",)][: 2 if wal else 1]


@pytest.mark.parametrize("kind", ["database", "text", "damaged"])
def test_a_file_of_something_else_is_refused_and_left_as_it_is(place: Path, fresh_database: Path, kind: str) -> None:
    if kind == "database":
        with closing(sqlite3.connect(place)) as database:
            database.execute("create table patients (name)")
            database.commit()
    elif kind == "text":
        place.write_text("My thesis. " * 500)
    else:
        whole = fresh_database.read_bytes()
        place.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    before = place.read_bytes()
    words = {
        "database": "is a database of something else .its tables: patients",
        "text": "is not a database",
        "damaged": "is damaged",
    }
    with pytest.raises(TrackingError, match=rf"mlflow\.db {words[kind]}.*it was left unchanged"):
        make_database(f"sqlite:///{place}")
    assert [path.name for path in place.parent.glob("mlflow*")] == ["mlflow.db"] and place.read_bytes() == before


def test_one_that_is_being_written_is_waited_for(
    place: Path, fresh_database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by a process of another user, of which it cannot be seen which files it has open."""
    monkeypatch.setattr(tracking_database, "_is_open", lambda _: False)
    monkeypatch.setattr(tracking_database, "_WAIT", 0.1)
    shutil.copy(fresh_database, place)
    code = f"""
import sqlite3, sys, time
database = sqlite3.connect({str(place)!r}, isolation_level=None)
database.execute("begin exclusive")
print("locked", flush=True)
time.sleep(2)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        make_database(f"sqlite:///{place}")
        assert other.poll() is not None or other.wait(1) == 0
    assert is_whole(place) and list(place.parent.glob("*half-made*")) == []


def test_one_that_another_process_is_making_is_waited_for(place: Path, fresh_database: Path) -> None:
    half_made(place)

    def finish() -> None:
        with place.open("r+b") as file:  # open for longer than nobody would be waited for
            time.sleep(1)
            file.write(fresh_database.read_bytes())

    other = threading.Thread(target=finish)
    other.start()
    make_database(f"sqlite:///{place}")
    other.join()
    assert is_whole(place) and list(place.parent.glob("*half-made*")) == []
