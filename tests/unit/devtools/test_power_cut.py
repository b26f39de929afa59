"""A simulated power cut keeps what was synced, and only that."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.power_cut import PAGE, PowerCut, make_library
from tests.power_cuts import left_after, needs_simulator

pytestmark = needs_simulator
After = Callable[[str], list[Path]]

BEGIN = """
import os, sys
def write(name, data, sync=True, mode="wb"):
    with open(name, mode) as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())
def sync(folder="."):
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_library(tmp_path_factory.mktemp("library"))


@pytest.fixture
def after(tmp_path: Path, library: Path) -> After:
    """What is left of a folder in twenty power cuts after a script ran in it."""
    (tmp_path / "root" / "old").mkdir(parents=True)
    (tmp_path / "root" / "old" / "before").write_bytes(b"before")
    return lambda script: left_after(BEGIN + script, tmp_path, library)


def contents(left: list[Path], name: str) -> set[bytes | None]:
    return {(folder / name).read_bytes() if (folder / name).exists() else None for folder in left}


def test_what_was_synced_with_its_name_survives(after: After) -> None:
    left = after("os.mkdir('new'); write('new/kept', b'x' * 9000); sync('new')")
    assert contents(left, "new/kept") == {b"x" * 9000}
    assert contents(left, "old/before") == {b"before"}


def test_content_that_was_not_synced_is_lost_in_every_way(after: After) -> None:
    data = b"x" * (2 * PAGE + 5)
    found = contents(after(f"write('lost', {data!r}, sync=False); sync()"), "lost")
    assert {b"", data, data[:PAGE] + bytes(PAGE + 5), data[:PAGE]} <= found


def test_a_name_that_was_not_synced_may_vanish_and_a_removed_one_come_back(after: After) -> None:
    left = after("write('new', b'new'); os.unlink('old/before')")
    assert contents(left, "new") == {b"new", None}
    assert contents(left, "old/before") == {b"before", None}


def test_a_rename_shows_the_old_or_the_new_state_and_never_half(after: After) -> None:
    left = after("write('new', b'after'); sync(); os.replace('new', 'old/before')")
    states = {((folder / "new").exists(), (folder / "old/before").read_bytes()) for folder in left}
    assert states == {(True, b"before"), (False, b"after")}


def test_a_rename_is_certain_once_its_folder_is_synced(after: After) -> None:
    left = after("write('.part', b'whole'); os.rename('.part', 'whole'); sync()")
    assert contents(left, "whole") == {b"whole"}
    assert contents(left, ".part") == {None}


def test_a_file_written_again_without_a_sync_may_be_empty_or_old(after: After) -> None:
    found = contents(after("write('old/before', b'after', sync=False)"), "old/before")
    assert {b"", b"before", b"after"} <= found


def test_pages_that_were_overwritten_are_old_or_new_each_for_itself(after: After) -> None:
    found = contents(
        after(f"write('f', b'a' * {2 * PAGE}); sync(); write('f', b'b' * {2 * PAGE}, sync=False, mode='r+b')"), "f"
    )
    assert {b"a" * PAGE + b"b" * PAGE, b"b" * PAGE + b"a" * PAGE} & found
    assert all(data is not None and set(data) <= set(b"ab") for data in found)


def test_sqlite_keeps_what_was_committed(after: After) -> None:
    left = after(
        "import sqlite3; base = sqlite3.connect('base.db'); base.execute('create table t (x)')\n"
        "for n in range(50):\n    base.execute('insert into t values (?)', ('x' * 100,)); base.commit()\n"
        "base.execute('update t set x = 1'); os._exit(0)"
    )
    for folder in left:
        with sqlite3.connect(folder / "base.db") as base:
            assert base.execute("pragma integrity_check").fetchone() == ("ok",)
            assert base.execute("select count(*) from t").fetchone()[0] >= 49


def test_recording_takes_no_lock_away(after: After) -> None:
    after(
        "import fcntl\n"
        "file = open('f', 'w+b'); fcntl.lockf(file, fcntl.LOCK_EX); file.write(b'x'); file.flush()\n"
        "os.fsync(file.fileno()); sync(); os.sync()\n"
        "if os.fork() == 0:\n"
        "    try:\n        fcntl.lockf(open('f', 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
        "    except OSError:\n        os._exit(0)\n"
        "    os._exit(1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))"
    )


def test_the_process_waits_at_the_step_that_was_asked_for(tmp_path: Path, library: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    cut = PowerCut(root, tmp_path / "shadow", library)
    cut.stop_at(3)  # a sync, a rename, and then this sync
    script = BEGIN + "write('.a', b'a'); os.rename('.a', 'a'); sync()"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, env=os.environ | cut.environment(), process_group=0
    )
    while not cut.stopped:
        assert process.poll() is None
    with cut.still(process.pid):
        left = [tmp_path / f"left-{seed}" for seed in range(20)]
        for seed, target in enumerate(left):
            cut.crash(target, random.Random(seed))
    cut.go_on()
    assert process.wait() == 0
    assert contents(left, "a") == {b"a", None}
    assert cut.steps == 3


def test_a_second_record_in_the_place_of_the_first_is_one_of_its_own_folder(tmp_path: Path, library: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "before").write_bytes(name.encode())
        shutil.rmtree(tmp_path / "shadow", ignore_errors=True)
        cut = PowerCut(tmp_path / name, tmp_path / "shadow", library)
        left = [tmp_path / f"{name}-{seed}" for seed in range(20)]
        for seed, target in enumerate(left):
            cut.crash(target, random.Random(seed))
        assert contents(left, "before") == {name.encode()}
