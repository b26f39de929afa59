"""Processes: which one is meant (a number alone may belong to another later), and ending with one's parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

import psutil

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int | None = None, number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent dies, so that nothing killed leaves an orphan.

    Linux only (``prctl``); elsewhere it does nothing, and what was killed leaves its children to finish their work.

    Args:
        parent: the number of the process that started this one. If it died before the kernel could be asked, this
            process ends now.
        number: the signal that the kernel sends.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


def this_process() -> tuple[int, float]:
    """Number and start time (seconds since 1970) of this process."""
    process = psutil.Process()
    return process.pid, process.create_time()


def is_alive(pid: int, started: float) -> bool:
    """Whether the process of that number and start time still runs; one that ended but was not yet reaped does not."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # it exists, and belongs to somebody else
        return True
