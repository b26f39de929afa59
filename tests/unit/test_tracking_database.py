"""MLflow's database appears whole, whoever was killed while making it."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from nrdfer import tracking_database
from nrdfer.tracking_database import is_whole, make_database


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


def test_half_a_one_is_put_aside_with_its_journal(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    half_made(place)
    journal = place.with_name("mlflow.db-journal")
    journal.write_bytes(b"what was being done")
    caplog.set_level(logging.WARNING)
    make_database(f"sqlite:///{place}")
    assert is_whole(place) and not journal.exists()
    assert len(list(place.parent.glob("mlflow.db.half-made-*"))) == 1
    assert "was half made by a process that was killed" in caplog.text


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
