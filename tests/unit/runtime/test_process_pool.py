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

from nrdfer.core.errors import NrdferError
from nrdfer.runtime import process_pool

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

    def add(number, shared):
        return number + shared

    class Deadly:
        def __reduce__(self):
            return os._exit, (7,)

    class Odd(Exception):
        def __init__(self, left, right):
            super().__init__(f"{left} and {right}")

    def fail_oddly(_):
        raise Odd("left", "right")

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
    told = list(process_pool.completed(posixpath.basename, units, workers=workers, what="names"))
    assert sorted(told) == [(unit, unit.rpartition("/")[2]) for unit in units]
    assert list(process_pool.completed(posixpath.basename, [], workers=workers, what="names")) == []


def test_workers_have_one_thread_and_import_neither_torch_nor_the_main_script(work: Any) -> None:
    main = sys.modules["__main__"]
    (told,) = process_pool.completed(work.threads_and_modules, [None], workers=2, what="x")
    assert told == (None, (1, False, False))
    assert sys.modules["__main__"] is main


def test_a_worker_that_died_is_replaced(work: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [tmp_path / str(i) for i in range(3)]
    told = dict(process_pool.completed(work.die_once, paths, workers=1, what="shards"))
    assert set(told) == set(paths)
    assert len(set(told.values())) == 3  # each died once, so each was done by a new process
    assert f"shards: the process that worked on {paths[1]} died; trying it again, alone" in caplog.text


def test_a_unit_over_which_two_died_is_an_error_after_all_others(work: Any) -> None:
    done: list[int] = []
    with pytest.raises(NrdferError, match=r"shards: a worker process died twice on -1.*fewer workers"):
        for _, number in process_pool.completed(work.die_for_negative, [0, -1, 2, 3], workers=2, what="shards"):
            done.append(number)
    assert sorted(done) == [0, 2, 3]


def test_a_unit_over_which_two_died_may_have_a_result_of_its_own(work: Any) -> None:
    told = dict(
        process_pool.completed(work.die_for_negative, [0, -1, -2, 3], workers=3, what="x", on_death=lambda n: 10 * n)
    )
    assert told == {0: 0, -1: -10, -2: -20, 3: 3}


def test_what_is_shared_is_sent_to_every_process(work: Any) -> None:
    told = dict(process_pool.completed(work.add, [1, 2, 3, 4], workers=2, what="x", shared=10))
    assert told == {1: 11, 2: 12, 3: 13, 4: 14}


def test_a_process_that_cannot_start_is_an_error(work: Any) -> None:
    with pytest.raises(NrdferError, match=r"x: a worker process could not start \(exit code 7\)"):
        list(process_pool.completed(work.add, [1], workers=1, what="x", shared=work.Deadly()))


def test_an_error_that_cannot_be_sent_is_told_by_its_words(work: Any) -> None:
    with pytest.raises(RuntimeError, match="Odd: left and right"):
        list(process_pool.completed(work.fail_oddly, [1], workers=1, what="x"))


def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    with pytest.raises(FileNotFoundError):
        list(process_pool.completed(os.listdir, ["/there/is/no/such/folder"], workers=1, what="x"))


def test_work_of_the_main_script_is_refused() -> None:
    def local() -> None: ...

    local.__module__ = "__main__"
    with pytest.raises(ValueError, match="main script"):
        list(process_pool.completed(local, [1], workers=1, what="x"))  # type: ignore[arg-type]


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for 30 seconds")


def test_workers_end_when_their_parent_is_killed(work: Any, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = (
        "from pathlib import Path; from nrdfer.runtime import process_pool as pool; import work_of_test_pool as work\n"
        f"list(pool.completed(work.say_and_wait, [Path({str(said)!r})], workers=1, what='x'))"
    )
    path = os.pathsep.join([str(Path(work.__file__).parent), *filter(None, sys.path)])
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    wait_for(lambda: said.is_file() and bool(said.read_text()))
    worker = psutil.Process(int(said.read_text()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
