"""Receipts in a work folder: small files that vouch for others, so that a later step need not trust a name.

``<name>.done`` holds the length and the sha256 of some finished files and is written after they, and their names, are
on the disk. A file that a power cut left empty, cut or full of zeros, and one that the disk has changed since, does not
match; its step then makes it again. The content of the files belongs to the steps.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

from nrdfer.core.atomic_files import sync, write_whole
from nrdfer.core.hashing import file_sha256
from nrdfer.core.state_files import read_bounded
from nrdfer.store.entries import Verify, are_entries, problem_of
from nrdfer.store.sealed import sealed, unsealed

_log = logging.getLogger(__name__)


def vouch(folder: Path, name: str, files: Iterable[str], known: Mapping[str, str] | None = None) -> None:
    """Record that some files are finished: they and their names are flushed to the disk, then the receipt is written.

    Args:
        folder: of the receipt.
        name: of the receipt, without its ending.
        files: relative to `folder`.
        known: sha256 of those whose writer has taken it.
    """
    known = known or {}
    entries = {}
    for file in files:
        path = folder / file
        sync(path)
        entries[file] = {"bytes": path.stat().st_size, "sha256": known.get(file) or file_sha256(path)}
    for parent in {(folder / file).parent for file in entries}:
        sync(parent)
    write_whole(receipt_of(folder, name), sealed({"files": entries}).encode())


def vouched(folder: Path, name: str, verify: Verify = "full") -> frozenset[str] | None:
    """The files of a receipt; None if there is no receipt, or one of the files does not match it.

    Files that do not match are named in the log.

    Args:
        folder: of the receipt.
        name: as given to `vouch`.
        verify: ``sizes`` checks presence and length only, for callers that check the content before use.
    """
    path = receipt_of(folder, name)
    try:
        files = unsealed(read_bounded(path))["files"]
        if not are_entries(files):
            raise ValueError("it names no files of its folder with their bytes and sha256")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        _log.warning("%s cannot be used (%s); what it vouches for is made again", path, error)
        return None
    for file, entry in files.items():
        problem = problem_of(folder, file, entry, path.name, verify)
        if problem is not None:
            _log.warning("%s: %s; it is made again", folder, problem)
            return None
    return frozenset(files)


def revoke(folder: Path, name: str) -> None:
    """Remove a receipt because its files are about to be rewritten."""
    receipt_of(folder, name).unlink(missing_ok=True)


def receipt_of(folder: Path, name: str) -> Path:
    """Path of a receipt."""
    return folder / f"{name}.done"
