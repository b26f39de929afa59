from __future__ import annotations

import signal
import subprocess
import sys

import psutil

from nrdfer.processes import is_alive, this_process


def test_this_process_is_alive_and_an_earlier_one_of_its_number_is_not() -> None:
    pid, started = this_process()
    assert is_alive(pid, started)
    assert not is_alive(pid, started - 100)


def test_a_process_that_ended_is_dead_even_before_it_is_reaped() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    assert is_alive(child.pid, started)
    child.kill()
    while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:  # killed, not yet reaped
        pass
    assert not is_alive(child.pid, started)
    child.wait()
    assert not is_alive(child.pid, started)


def test_the_signal_that_a_parents_death_sends_can_be_a_polite_one() -> None:
    code = """
import subprocess, sys
from nrdfer.processes import die_with_parent
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
