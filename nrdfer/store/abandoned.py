"""Temporary folders of artefacts: their names, and removal of abandoned ones.

Keep out: acquiring the lock of an artefact that is built (`artifacts`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nrdfer.core.file_locks import lock
from nrdfer.core.processes import is_alive, this_process

_TEMPORARY = re.compile(r"\.tmp-(?P<digest>[0-9a-f]+)-(?P<pid>\d+)-(?P<started>\d+\.\d+)")


def temporary_name(digest: str) -> str:
    """Name of this process's temporary folder for `digest`."""
    pid, started = this_process()
    return f".tmp-{digest}-{pid}-{started:.2f}"


def remove_abandoned(folder: Path, locks: Path, own_digest: str) -> None:
    """Remove the temporary folders in `folder` whose builders have ended.

    Must be called while holding the lock of `own_digest`: a folder of that digest is abandoned by definition. Of the
    others only those are removed whose process has ended AND whose lock is free; the second condition is for processes
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
