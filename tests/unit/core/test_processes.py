"""Processes are told apart, marked, and end with what started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from nrdfer.core.processes import MARK, children_marked, is_alive, is_gone, signature, started_at, this_process


def test_this_process_is_alive_and_an_earlier_one_of_its_number_is_not() -> None:
    pid, started = this_process()
    assert is_alive(pid, started)
    assert not is_alive(pid, started - 100)


def test_a_process_that_ended_is_dead_even_before_it_is_reaped() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = started_at(child.pid)
    assert is_alive(child.pid, started)
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:  # killed, not yet reaped
        pass
    assert not is_alive(child.pid, started)
    child.wait()
    assert not is_alive(child.pid, started)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the wall clock is known")
def test_a_process_is_the_same_one_after_the_clock_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: 0.0)  # what follows the clock
    assert is_alive(*this_process())


def test_who_is_on_another_host_cannot_be_called_gone() -> None:
    signed = f"{os.getpid()}:1.00"
    assert is_gone(os.uname().nodename, signed)
    assert not is_gone("another-host", signed)
    assert not is_gone(os.uname().nodename, signature())


def test_children_are_marked_and_end_with_the_run() -> None:
    code = """
import multiprocessing, os, sys, time
from nrdfer.core.processes import MARK, children_marked, end_with_run
def child(told):
    end_with_run()
    sys.stdout.write(f"{os.getpid()}, {os.environ[MARK]}, {told.recv()}\\n")
    sys.stdout.flush()
    time.sleep(99)
if __name__ == "__main__":
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
    assert mark.startswith(f"the-run {run.pid}:")
    assert parent == "marked itself: False"
    process = psutil.Process(int(number))
    run.kill()
    run.wait()
    assert psutil.wait_procs([process], timeout=10)[1] == []


def test_a_mark_that_was_there_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, "outer")
    with children_marked("inner"):
        assert os.environ[MARK].startswith("inner ")
    assert os.environ[MARK] == "outer"


def test_the_signal_that_a_parents_death_sends_can_be_a_polite_one() -> None:
    code = """
import subprocess, sys
from nrdfer.core.processes import die_with_parent
from signal import SIGTERM
told = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: (print('told', flush=True), sys.exit())); "
waiting = "print('waiting', flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-c", told + waiting], preexec_fn=lambda: die_with_parent(number=SIGTERM))
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "waiting\n"
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert parent.stdout.read() == "told\n"


@pytest.mark.parametrize("signed", ["", "x", "1:", ":1", "1:x", "9" * 5000 + ":1.00", "1:nan", "-1:1.00", "1:1.00\n"])
def test_what_is_no_signature_names_no_process_that_has_ended(signed: str) -> None:
    assert not is_gone(os.uname().nodename, signed)
