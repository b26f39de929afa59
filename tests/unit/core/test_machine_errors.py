"""Troubles of the machine are recognised whatever library tells them, and told with what to do."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from nrdfer.core import machine_errors
from nrdfer.core.errors import AddressError
from nrdfer.core.machine_errors import disk_in_words, full_disk_in_words, in_words, waiting_helps


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


def caused(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


FULL = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EDQUOT, "Disk quota exceeded"),
    sqlite3.OperationalError("database or disk is full"),
    RuntimeError("safetensors: No space left on device (os error 28)"),
    caused(ValueError("it failed"), OSError(errno.ENOSPC, "No space left on device")),
]


@pytest.mark.parametrize("error", FULL, ids=lambda error: f"{type(error).__name__}-{error}")
def test_a_full_disk_is_told_with_the_place_and_its_free_bytes(error: Exception) -> None:
    told = in_words(error)
    assert told is not None and "no room on the disk of /" in told and "bytes free there" in told
    assert "NRDFER_HOME" in told and "TMPDIR" in told and "\n" not in told
    assert not waiting_helps(error)


@pytest.mark.parametrize(
    "error",
    [OSError(errno.EROFS, "Read-only file system"), sqlite3.OperationalError("attempt to write a readonly database")],
)
def test_a_disk_that_takes_no_writing_is_told(error: Exception) -> None:
    told = in_words(error)
    assert told is not None and "cannot be written" in told and "NRDFER_HOME" in told
    assert not waiting_helps(error)


def test_a_folder_that_the_user_may_not_write_is_told_by_its_name() -> None:
    told = in_words(PermissionError(errno.EACCES, "Permission denied", "/data/corpus/.tmp"))
    assert told is not None and told.startswith("/data/corpus/.tmp may not be written")


def test_an_unnamed_error_of_sqlite_is_a_full_disk_only_where_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    assert disk_in_words(error) is None and full_disk_in_words() is None
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    assert "100 bytes free" in str(disk_in_words(error)) and "100 bytes free" in str(full_disk_in_words())


def test_a_disk_without_entries_for_files_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def none_left(path: Path) -> os.statvfs_result:
        numbers = list(real(path))
        numbers[5], numbers[7] = 1000, 0  # files, and those that this user may still make
        return os.statvfs_result(numbers)

    monkeypatch.setattr(os, "statvfs", none_left)
    assert "0 free entries for files" in str(full_disk_in_words())


def test_an_mlflow_that_is_away_is_told_in_a_line_and_may_come_back() -> None:
    import requests
    from mlflow.exceptions import MlflowException

    cause = requests.exceptions.ConnectionError("HTTPConnectionPool(host='h', port=1): Max retries exceeded")
    error = caused(MlflowException("API request to http://h:1/x failed with exception " + "x" * 5000), cause)
    told = in_words(error)
    assert told is not None and "does not answer" in told and len(told) < 600
    assert waiting_helps(error)


def test_an_address_that_cannot_be_used_is_not_waited_for() -> None:
    assert not waiting_helps(caused(RuntimeError("no"), AddressError("MLFLOW_TRACKING_URI=x: no address")))


@pytest.mark.parametrize("error", [ValueError("a defect"), KeyError("x"), OSError(errno.EPIPE, "Broken pipe")])
def test_a_defect_is_not_passed_off_as_a_trouble_of_the_machine(error: Exception) -> None:
    assert machine_errors.in_words(error) is None
