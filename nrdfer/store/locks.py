"""Who is building what: one lock a digest, and the removal of what dead builders left.

Locks are the kernel's (``flock``), so they end with the process that holds them, however it ends. Their files stay:
removing one while somebody waits on it would let two processes in.
"""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from nrdfer.core.file_locks import lock
from nrdfer.core.processes import is_alive, this_process

_TEMPORARY = re.compile(r"\.tmp-(?P<digest>[0-9a-f]+)-(?P<pid>\d+)-(?P<started>\d+\.\d+)")
_log = logging.getLogger(__name__)


@contextlib.contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file `path`; waits for another holder, and says so once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        if not lock(handle, path, wait=False):
            _log.info("%s is being made by another process; waiting for it", what)
            lock(handle, path)
        yield  # closing the file releases the lock


def temporary_name(digest: str) -> str:
    """Name of this process's temporary folder for `digest`."""
    pid, started = this_process()
    return f".tmp-{digest}-{pid}-{started:.2f}"


def remove_abandoned(folder: Path, locks: Path, own_digest: str) -> None:
    """Remove the temporary folders in `folder` whose builders are gone.

    Must be called while holding the lock of `own_digest`: whatever bears that digest is abandoned by definition. Of
    the others only those go whose process has ended AND whose lock is free; the second question is for processes
    that this one cannot see (another container on the same folder).
    """
    for path in folder.glob(".tmp-*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None:
            continue
        if match["digest"] == own_digest:
            shutil.rmtree(path, ignore_errors=True)
        elif not is_alive(int(match["pid"]), float(match["started"])):
            _remove_if_free(path, locks / f"{match['digest']}.lock")


def _remove_if_free(path: Path, lock_file: Path) -> None:
    with lock_file.open("a") as handle:
        if lock(handle, lock_file, wait=False):
            shutil.rmtree(path, ignore_errors=True)
