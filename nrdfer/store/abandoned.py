"""Temporary folders of artefacts: their names, and removal of abandoned ones.

Keep out: acquiring the lock of an artefact that is built (`artifacts`).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from nrdfer.core import leases
from nrdfer.core.file_locks import lock

#: By digest and lease; earlier releases wrote the process's number and start instead, which `leases` knows nothing of.
_TEMPORARY = re.compile(r"\.tmp-(?P<digest>[0-9a-f]+)-(?P<lease>[0-9a-f]{32}|\d+-\d+\.\d+)")


def temporary_name(digest: str) -> str:
    """Name of this process's temporary folder for `digest`."""
    return f".tmp-{digest}-{leases.of_this_process()}"


def remove_abandoned(folder: Path, locks: Path, own_digest: str) -> None:
    """Remove the temporary folders in `folder` whose builders have ended.

    Must be called while holding the lock of `own_digest`: a folder of that digest is abandoned by definition. Of the
    others only those are removed whose builder's lease is over AND whose lock is free; the second condition is for
    builders with another project folder that share this store.
    """
    for path in folder.glob(".tmp-*"):
        match = _TEMPORARY.fullmatch(path.name)
        if match is None:
            continue
        if match["digest"] == own_digest:
            shutil.rmtree(path, ignore_errors=True)
        elif leases.is_over(match["lease"]):
            _remove_if_free(path, locks / f"{match['digest']}.lock")


def _remove_if_free(path: Path, lock_file: Path) -> None:
    with lock_file.open("a") as handle:
        if lock(handle, lock_file, wait=False):
            shutil.rmtree(path, ignore_errors=True)
