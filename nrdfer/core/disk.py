"""Disk failures that a step can meet: a full disk, a read-only one, data lost before it was flushed.

Keep here: flushing whole folders and the names of new ones, and turning the system's errors into ones that say what
to do. Keep out: names and layout.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from nrdfer.core.atomic_files import sync

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# libraries that write by themselves (safetensors, torch, SQLite) report the error as text only
_FULL_WORDS = ("no space left on device", "disk quota exceeded", "disk is full")
_READ_ONLY_WORDS = ("attempt to write a readonly database", "read-only file system", "unable to open database file")
_UNNAMED = "disk i/o error"  # SQLite's, of whatever kind
# ... or not at all (torch, OpenCV); then a disk with less than this left is taken as the reason
_NOTHING_LEFT = 1 << 20
_FEW_ENTRIES = 8  # for files; that few are as good as none


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that it was raised from, is caused by a full disk under `folder`."""
    if isinstance(error, OSError | RuntimeError) and free_bytes(folder) < _NOTHING_LEFT:
        return True
    if _UNNAMED in str(error).lower() and free_bytes(folder) < _NOTHING_LEFT:
        return True
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno in _FULL:
            return True
        if any(words in str(cause).lower() for words in _FULL_WORDS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def is_read_only(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, is caused by a read-only disk or database."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, OSError) and cause.errno == errno.EROFS:
            return True
        if any(words in str(cause).lower() for words in _READ_ONLY_WORDS):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def no_room(error: BaseException, what: str, folder: Path, free: int) -> str:
    """Message for a full disk; `free` is the space left at the time of the failure."""
    return (
        f"no room to write {what} below {folder}: {error} ({free:,} bytes free there). Nothing was published. Free "
        "some space, or set NRDFER_HOME to a folder on a larger disk, and run the same command again"
    )


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of `folder`, which may not exist yet."""
    return shutil.disk_usage(_existing(folder)).free


def free_entries(folder: Path) -> int | None:
    """Number of further files that fit on the disk of `folder`; None where a disk does not count them."""
    found = os.statvfs(_existing(folder))
    return found.f_favail if found.f_files else None


def least_room(folders: Sequence[Path]) -> tuple[Path, int, int | None]:
    """The fullest disk among those of some folders: folder, free bytes, and entries if those are few.

    Of folders on one disk the first is named: measured one after the other, they differ while others write.
    """
    by_disk: dict[int, Path] = {}
    for folder in folders:
        by_disk.setdefault(_existing(folder).stat().st_dev, folder)

    def entries(folder: Path) -> int | None:
        free = free_entries(folder)
        return free if free is not None and free < _FEW_ENTRIES else None

    def fullness(folder: Path) -> float:
        few = entries(folder)
        return free_bytes(folder) if few is None else min(free_bytes(folder), few)

    found = min(by_disk.values(), key=fullness)
    return found, free_bytes(found), entries(found)


def is_there(path: Path) -> bool:
    """Whether a path exists and this user may see it: ``Path.exists`` raises where a folder may not be looked into."""
    try:
        return path.exists()
    except OSError:
        return False


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if is_there(path))


def not_writable(error: OSError, what: str, folder: Path) -> str:
    """Message for a store that cannot be written for another reason."""
    return (
        f"{what} cannot be written below {folder}: {error}. Make that folder writable, or set NRDFER_HOME to another "
        "folder, and run the same command again"
    )


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each name flushed to the disk."""
    fresh = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(fresh):
        sync(path.parent)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and `folder` itself, to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
