from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.core.file_locks import held, lock, unlock
from nrdfer.runtime import gpu_slots
from nrdfer.store import Store
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


def test_what_is_open_for_reading_only_is_not_locked_exclusively(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    path.touch()
    with path.open("rb") as handle:
        with pytest.raises(ValueError, match="open for reading only"):
            lock(handle, path, wait=False)
        assert lock(handle, path, shared=True)


def test_whoever_waits_says_so_once_or_goes(tmp_path: Path) -> None:
    path, said = tmp_path / "a.lock", threading.Event()

    def come_in() -> None:
        with held(path, said.set):
            assert said.is_set()

    def go() -> None:
        raise InterruptedError("not now")

    with ThreadPoolExecutor(1) as pool:
        with held(path):
            with pytest.raises(InterruptedError, match="not now"), held(path, go):
                pass
            second = pool.submit(come_in)
            assert said.wait(60)
            assert not second.done()
            path.rename(tmp_path / "b.lock")  # the name goes, the lock stays
            with (tmp_path / "b.lock").open("a") as other:
                assert not lock(other, path, wait=False)
        assert second.exception(60) is None


def _log(folder: Path) -> None:
    TrainingLog(folder / "log.jsonl").close()


def _held(folder: Path) -> None:
    with held(folder / "a.lock"):
        pass


def _store_lock(folder: Path) -> None:
    Store(folder).build("a", code_version="1", config={}, inputs={}, build=lambda _: {})


def _run_folder(folder: Path) -> None:
    with run_folder.held(folder):
        pass


def _slots(folder: Path) -> None:
    with gpu_slots.claim(["one"], 1, folder):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
@pytest.mark.parametrize("use", [_log, _held, _store_lock, _run_folder, _slots])
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
