"""A lease is over as soon as its holder has ended, and never before; whoever asks from wherever sees the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from nrdfer.core import leases
from nrdfer.core.errors import StoreError

HOLDER = """
import sys
from nrdfer.core import leases
leases.take("held")
print(leases.of_this_process(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    return tmp_path


@contextmanager
def process(code: str = HOLDER) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has said its first line."""
    made = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert made.stdout is not None
        yield made, made.stdout.readline().strip()
    finally:
        made.kill()
        made.communicate()  # closes its input, by which its children end


def make_file(home: Path, kernel: str, age: float) -> Path:
    """A lease that nobody has locked, of a kernel, touched so many seconds ago."""
    path = home / "leases" / "elsewhere"
    path.parent.mkdir(exist_ok=True)
    path.write_text(kernel)
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))
    return path


def test_a_lease_is_over_when_its_holder_is_killed_and_not_before() -> None:
    with process() as (holder, token):
        assert not leases.is_over("held") and not leases.is_over(token)
        holder.kill()
        holder.wait()
        assert leases.is_over("held") and leases.is_over(token)


def test_a_holder_that_is_stopped_still_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "SILENT", -1.0)
    with process() as (holder, _):
        holder.send_signal(19)
        assert not leases.is_over("held")


def test_a_clean_end_leaves_no_file_and_a_kill_one_that_is_swept(home: Path) -> None:
    with process() as (holder, _):
        holder.communicate()
    assert list((home / "leases").iterdir()) == []
    with process() as (holder, _), process(HOLDER.replace("held", "living")) as (_, token):
        holder.kill()
        holder.wait()
        assert leases.sweep() == 2
        assert {path.name for path in (home / "leases").glob("[!.]*")} == {"living", token}


def test_this_process_holds_its_own_and_nobody_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    token = leases.of_this_process()
    assert token == leases.of_this_process() and not leases.is_over(token) and leases.is_held_here(token)
    monkeypatch.setattr(leases, "_PATIENCE", 0.1)
    with process() as _, pytest.raises(StoreError, match=r"another process holds .*held"):
        leases.take("held")


def test_a_folder_that_was_removed_is_made_again(home: Path) -> None:
    token = leases.of_this_process()
    (home / "leases" / token).unlink()
    assert leases.is_over(token)
    assert leases.of_this_process() == token
    assert not leases.is_over(token)


def test_a_living_child_of_a_dead_process_keeps_no_lease_and_has_its_own() -> None:
    code = """
import os, sys
from nrdfer.core import leases
leases.take("held")
parents, (reading, writing) = leases.of_this_process(), os.pipe()
if os.fork():
    os.read(reading, 1)
    os._exit(0)
print(parents, leases.of_this_process(), flush=True)
os.write(writing, b"x")
sys.stdin.read()
"""
    with process(code) as (parent, tokens):
        parent.wait()
        parents, childs = tokens.split()
        assert [leases.is_over(name) for name in ("held", parents, childs)] == [True, True, False]


def test_askers_do_not_take_each_other_for_the_holder() -> None:
    with process() as (holder, _):
        holder.kill()
        holder.wait()
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: leases.is_over("held"), range(400)))


def test_who_is_asked_while_it_takes_and_swept_while_it_takes_still_holds_it() -> None:
    """Takers, askers and sweepers of one name at once: what was taken is held."""
    stop = threading.Event()

    def disturb() -> None:
        while not stop.is_set():
            leases.is_over("busy")
            leases.sweep()

    with ThreadPoolExecutor(3) as pool:
        disturbing = [pool.submit(disturb) for _ in range(2)]
        try:
            for _ in range(100):
                with leases.held_file(leases._path("busy")):
                    assert not leases.is_over("busy")
        finally:
            stop.set()
    assert [one.exception() for one in disturbing] == [None, None]


@pytest.mark.parametrize("kernel", [json.dumps({"kernel": "another"}), "", "[", '{"host": "a", "process": "1:1.00"}'])
def test_the_free_lock_of_another_kernel_must_be_silent_too(home: Path, kernel: str) -> None:
    make_file(home, kernel, age=leases.SILENT - 20)
    assert not leases.is_over("elsewhere") and leases.sweep() == 0
    make_file(home, kernel, age=leases.SILENT + 20)
    assert leases.is_over("elsewhere") and leases.sweep() == 1


def test_on_this_kernel_the_free_lock_is_enough(home: Path) -> None:
    make_file(home, json.dumps({"kernel": leases._kernel()}), age=0)
    assert leases.is_over("elsewhere")


def test_a_holder_touches_its_files(home: Path) -> None:
    with process("from nrdfer.core import leases\nleases.EVERY = 0.05\n" + HOLDER):
        path = home / "leases" / "held"
        os.utime(path, (1, 1))
        while path.stat().st_mtime == 1:
            pass


@pytest.mark.parametrize("name", ["", "../held", "a/b", "x" * 5000, ".id"])
def test_what_is_no_name_is_no_lease_that_is_over(name: str) -> None:
    assert not leases.is_over(name)
    with pytest.raises(ValueError):
        leases.take(name)


def test_a_folders_id_is_made_once_whoever_asks_first(home: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: leases.home_id(), range(50)))
    assert len(found) == 1
    assert found == {leases.home_id()}
    assert [path.name for path in (home / "leases").iterdir()] == [".id"]
    (home / "leases" / ".id").write_text("")  # as a power cut may leave it
    assert leases.home_id() not in {"", *found}
