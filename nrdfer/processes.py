"""Which process is meant: a number alone may belong to another process later, so its start time goes with it."""

from __future__ import annotations

import psutil


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
