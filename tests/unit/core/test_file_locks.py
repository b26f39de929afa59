from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nrdfer.core import paths
from nrdfer.core.errors import StoreError
from nrdfer.core.file_locks import held, lock, unlock
from nrdfer.runtime import gpu_slots
from nrdfer.store import locks
from nrdfer.tracking.training_log import TrainingLog
from nrdfer.training import run_folder


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with held(path), path.open("a") as other:
        assert not lock(other, path, wait=False)
    with path.open("a") as other:
        assert lock(other, path, wait=False)
        unlock(other)
        with held(path):
            pass


def _log(folder: Path) -> None:
    TrainingLog(folder / "log.jsonl").close()


def _file_lock(folder: Path) -> None:
    with paths.file_lock(folder / "a.lock"):
        pass


def _store_lock(folder: Path) -> None:
    with locks.held(folder / "a.lock", "it"):
        pass


def _run_folder(folder: Path) -> None:
    with run_folder.held(folder):
        pass


def _slots(folder: Path) -> None:
    with gpu_slots.claim(["one"], 1, folder):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.parametrize("use", [_log, _file_lock, _store_lock, _run_folder, _slots])
def test_a_file_system_without_locks_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], None], number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refused)
    with pytest.raises(StoreError, match=r"no file locks.*NRDFER_HOME"):
        use(tmp_path)


def test_a_folder_that_may_not_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"a\.lock cannot be written.*NRDFER_HOME"), held(tmp_path / "file/a.lock"):
        pass
