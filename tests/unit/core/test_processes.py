"""Processes are marked, and end with what started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from nrdfer.core import leases
from nrdfer.core.processes import MARK, children_marked, home_of_run, run_of_this_process


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    return tmp_path


def test_children_are_marked_and_end_with_the_run(home: Path) -> None:
    code = """
import multiprocessing, os, sys, time
from nrdfer.core import leases
from nrdfer.core.processes import MARK, children_marked, die_with_run
def child(told):
    die_with_run()
    sys.stdout.write(f"{os.getpid()}, {os.environ[MARK]}, {told.recv()}\\n")
    sys.stdout.flush()
    time.sleep(99)
if __name__ == "__main__":
    leases.take("the-run")
    tell, told = multiprocessing.Pipe()
    with children_marked("the-run"):
        process = multiprocessing.get_context("fork").Process(target=child, args=(told,))
        process.start()
    tell.send(f"marked itself: {MARK in os.environ}")
    process.join()
"""
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    number, mark, parent = run.stdout.readline().strip().split(", ")
    assert mark == f"the-run {leases.home_id()} {home}"
    assert parent == "marked itself: False"
    process = psutil.Process(int(number))
    run.kill()
    run.wait()
    assert psutil.wait_procs([process], timeout=10)[1] == []


def test_a_mark_that_was_there_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "outer")
    with children_marked("inner"):
        assert (run_of_this_process(), home_of_run("inner")) == ("inner", leases.home_id())
    assert os.environ[MARK] == "outer"
    assert (run_of_this_process(), home_of_run("inner"), home_of_run("outer")) == ("outer", None, "")


def test_the_signal_that_a_parents_death_sends_can_be_a_polite_one() -> None:
    code = """
import subprocess, sys
from nrdfer.core.processes import die_with_parent
from signal import SIGTERM
told = "import os, signal; tell = lambda *_: (os.write(1, b'told'), os._exit(0)); signal.signal(signal.SIGTERM, tell); "
waiting = "print('waiting', flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", told + waiting], preexec_fn=lambda: die_with_parent(number=SIGTERM))
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "waiting\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == "told"
