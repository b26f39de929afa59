"""Processes: their identity (a number may be reused), the run that they belong to, and their end.

Keep here: what the operating system knows about processes. Keep out: the handling of one that died
(``pipelines/repair.py``, ``nrdfer.tracking.pending_uploads``).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from nrdfer.core import paths

_PR_SET_PDEATHSIG = 1
#: Environment variable of everything that a run starts: the run, its process, and the project folder.
MARK = "NRDFER_RUN"
_SIGNATURE = re.compile(r"[0-9]{1,10}:[0-9]{1,15}(\.[0-9]{1,9})?")
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


def started_at(pid: int) -> float:
    """Start time of a process in seconds; it differs for any two processes with the same number.

    On Linux counted from the machine's start: a time since 1970 changes when the clock is set, and a
    running process would be mistaken for another.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    if sys.platform != "linux":
        return float(psutil.Process(pid).create_time())
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        raise psutil.NoSuchProcess(pid) from None
    ticks = int(text.rpartition(")")[2].split()[19])  # the name, in brackets, may hold blanks
    return ticks / os.sysconf("SC_CLK_TCK")


def this_process() -> tuple[int, float]:
    """Number and start time of this process, for `is_alive`."""
    return os.getpid(), started_at(os.getpid())


def is_alive(pid: int, started: float) -> bool:
    """Whether the process with that number and start time still runs; an ended but unreaped one does not."""
    try:
        return abs(started_at(pid) - started) < 0.02 and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except (psutil.AccessDenied, PermissionError):  # it exists, and belongs to another user
        return True


def signature() -> str:
    """This process as ``<pid>:<start time>``."""
    pid, started = this_process()
    return f"{pid}:{started:.2f}"


def is_signature(text: str) -> bool:
    """Whether a text has the form of a process's signature."""
    return _SIGNATURE.fullmatch(text) is not None


def is_gone(host: str, signed: str) -> bool:
    """Whether the process with this signature has ended.

    Never true of another host's, which cannot be seen from here, nor of what is no signature.
    """
    if host != socket.gethostname() or not is_signature(signed):
        return False
    pid, _, started = signed.partition(":")
    return not is_alive(int(pid), float(started))


def run_signature() -> str:
    """Signature of the process of the run that this process belongs to; empty if there is none."""
    _, signed, _ = _read(os.environ.get(MARK, ""))
    return signed if is_signature(signed) else ""


@contextlib.contextmanager
def children_marked(run_id: str) -> Iterator[None]:
    """Mark all descendants that this process starts with the run that they belong to."""
    before = os.environ.get(MARK)
    os.environ[MARK] = f"{run_id} {signature()} {paths.home()}"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(MARK, None)
        else:
            os.environ[MARK] = before


def _read(mark: str) -> tuple[str, str, str]:
    """A mark's run, the signature of the run's process, and the project folder; empty where there is none."""
    run_id, signed, home = [*mark.split(" ", 2), "", "", ""][:3]
    return run_id, signed, home


def die_with_run() -> None:
    """In a process that carries a run's mark: end when its parent does, or at once if the run has ended.

    What started it is the run's process, or one that ends with it.
    """
    die_with_parent()
    _, signed, _ = _read(os.environ.get(MARK, ""))
    if signed and is_gone(socket.gethostname(), signed):  # it died before the call to the kernel
        os._exit(1)


def end_with_run() -> None:
    """In a step's process: end when the run's process does. Nothing where a step runs in the run's own process."""
    import multiprocessing

    if multiprocessing.parent_process() is not None and MARK in os.environ:
        die_with_run()


def orphans() -> list[tuple[psutil.Process, str]]:
    """Living processes that dead runs of this project folder left behind, each with the run's id."""
    found = []
    for process in psutil.process_iter():
        try:
            run_id, signed, home = _read(process.environ().get(MARK, ""))
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue
        if home == str(paths.home()) and process.pid != os.getpid() and is_gone(socket.gethostname(), signed):
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
