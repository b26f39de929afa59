from __future__ import annotations

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
