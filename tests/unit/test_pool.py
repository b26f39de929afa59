"""Worker processes: what they finish is told, a dying one is an error and not a hang, none outlives its parent."""

from __future__ import annotations

import os
import posixpath
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import pytest

from nrdfer import pool
from nrdfer.errors import NrdferError

WORK = """
    import os, sys, time
    from pathlib import Path

    def threads_and_modules(unit):
        import cv2
        return cv2.getNumThreads(), "torch" in sys.modules, hasattr(sys.modules["__main__"], "__file__")

    def die_once(path):
        if path.exists():
            return os.getpid()
        path.touch()
        os._exit(3)

    def die_for_negative(number):
        return number if number >= 0 else os._exit(3)

    def say_and_wait(path):
        path.write_text(str(os.getpid()))
        time.sleep(600)
"""


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that worker processes can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "work_of_test_pool.py").write_text(textwrap.dedent(WORK))
    monkeypatch.syspath_prepend(folder)
    yield import_module("work_of_test_pool")
    del sys.modules["work_of_test_pool"]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_unit_is_told_once(workers: int) -> None:
    units = [f"/folder/{i}" for i in range(7)]
    told = list(pool.completed(posixpath.basename, units, workers=workers, what="names"))
    assert sorted(told) == [(unit, unit.rpartition("/")[2]) for unit in units]
    assert list(pool.completed(posixpath.basename, [], workers=workers, what="names")) == []


def test_workers_have_one_thread_and_import_neither_torch_nor_the_main_script(work: Any) -> None:
    main = sys.modules["__main__"]
    (told,) = pool.completed(work.threads_and_modules, [None], workers=2, what="x")
    assert told == (None, (1, False, False))
    assert sys.modules["__main__"] is main


def test_a_worker_that_died_is_replaced(work: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [tmp_path / str(i) for i in range(3)]
    told = dict(pool.completed(work.die_once, paths, workers=1, what="shards"))
    assert set(told) == set(paths)
    assert len(set(told.values())) == 3  # each died once, so each was done by a new process
    assert "shards: a worker process died; trying the 3 pieces that are left again" in caplog.text


def test_workers_that_keep_dying_are_an_error(work: Any) -> None:
    done: list[int] = []
    with pytest.raises(NrdferError, match=r"shards: a worker process died 3 times .* 3 of 4 pieces.*fewer workers"):
        for _, number in pool.completed(work.die_for_negative, [0, -1, 2, 3], workers=1, what="shards"):
            done.append(number)
    assert done == [0]


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(FileNotFoundError):
        list(pool.completed(os.listdir, ["/there/is/no/such/folder"], workers=1, what="x"))


def test_work_of_the_main_script_is_refused() -> None:
    def local() -> None: ...

    local.__module__ = "__main__"
    with pytest.raises(ValueError, match="main script"):
        list(pool.completed(local, [1], workers=1, what="x"))  # type: ignore[arg-type]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for 30 seconds")


def test_workers_end_when_their_parent_is_killed(work: Any, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "from pathlib import Path; from nrdfer import pool; import work_of_test_pool as work\n"
        f"list(pool.completed(work.say_and_wait, [Path({str(said)!r})], workers=1, what='x'))"
    )
    path = os.pathsep.join([str(Path(work.__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    wait_for(lambda: said.is_file() and bool(said.read_text()))
    worker = psutil.Process(int(said.read_text()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
