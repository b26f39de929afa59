"""Processes: the run that they belong to, and their end.

Keep here: what the operating system knows about processes. Keep out: whether a run's process lives (`leases`), and the
handling of one that died (``pipelines/repair.py``, ``nrdfer.tracking.pending_uploads``).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator

import psutil

from nrdfer.core import leases, paths

_PR_SET_PDEATHSIG = 1
#: Environment variable of everything that a run starts: the run, and the project folder's id and path.
MARK = "NRDFER_RUN"
_PATIENCE = 10.0  # seconds for processes to be gone after SIGKILL


def die_with_parent(parent: int | None = None, number: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent dies, so that a kill leaves no orphan.

    Linux only (``prctl``); elsewhere it does nothing, and what was killed leaves its children to finish their work.

    Args:
        parent: the number of the process that started this one. If it died before the call to the kernel, this
            process ends now.
        number: the signal that the kernel sends.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if parent is not None and os.getppid() != parent:
            os._exit(1)


def run_of_this_process() -> str:
    """Id of the run that this process belongs to; empty if there is none."""
    run_id, _ = _read(os.environ.get(MARK, ""))
    return run_id


def home_of_run(run_id: str) -> str | None:
    """Id of the project folder of the run that this process belongs to; None if it is another run, or none."""
    marked, home = _read(os.environ.get(MARK, ""))
    return home if marked == run_id else None


def mark(run_id: str) -> str:
    """The mark of everything that a run of this project folder starts."""
    return f"{run_id} {leases.home_id()} {paths.home()}"


@contextlib.contextmanager
def children_marked(run_id: str) -> Iterator[None]:
    """Mark all descendants that this process starts with the run that they belong to."""
    before = os.environ.get(MARK)
    os.environ[MARK] = mark(run_id)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(MARK, None)
        else:
            os.environ[MARK] = before


def _read(marked: str) -> tuple[str, str]:
    """A mark's run, and the id of the project's folder; empty where there is none."""
    run_id, home, _ = [*marked.split(" ", 2), "", "", ""][:3]
    return run_id, home


def _is_left_behind(marked: str) -> str:
    """Id of the run of this project folder that started a process with this mark, if it is over; else empty."""
    run_id, home = _read(marked)
    # the path alone is not enough: another container may have another folder of the same path
    return run_id if run_id and home == leases.home_id() and leases.is_over(run_id) else ""


def die_with_run() -> None:
    """In a process that carries a run's mark: end when its parent does, or at once if the run has ended.

    What started it is the run's process, or one that ends with it.
    """
    die_with_parent()
    if _is_left_behind(os.environ.get(MARK, "")):  # it died before the call to the kernel
        os._exit(1)


def orphans() -> list[tuple[psutil.Process, str]]:
    """Living processes that dead runs of this project folder left behind, each with the run's id."""
    found = []
    for process in psutil.process_iter():
        try:
            marked = process.environ().get(MARK, "")
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue
        if marked and process.pid != os.getpid() and (run_id := _is_left_behind(marked)):
            found.append((process, run_id))
    return found


def end_orphans() -> list[tuple[int, str]]:
    """End the processes that `orphans` finds, and wait for their end; returns process numbers and run ids."""
    found = orphans()
    for process, _ in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs([process for process, _ in found], timeout=_PATIENCE)
    return [(process.pid, run_id) for process, run_id in found]
