"""What the disk may do to a step: be full, be read-only, lose what was not flushed.

Keep here: flushing whole folders and the names of new ones, and turning the system's errors into ones that say what
to do. Keep out: names and layout.
"""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from nrdfer.files import sync

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# libraries that write by themselves (safetensors, torch, SQLite) hand the trouble on as text only
_FULL_WORDS = ("no space left on device", "disk quota exceeded", "disk is full")
# ... or not at all (torch, OpenCV); then a disk with less than this left is taken as the reason
_NOTHING_LEFT = 1 << 20


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that it was raised from, comes of a disk without room where `folder` lies."""
    if isinstance(error, OSError | RuntimeError) and free_bytes(folder) < _NOTHING_LEFT:
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


def no_room(error: BaseException, what: str, folder: Path, free: int) -> str:
    """Message for a full disk; `free` is what it had left when the trouble came."""
    return (
        f"no room to write {what} below {folder}: {error} ({free:,} bytes free there). Nothing was published. Free "
        "some space, or set NRDFER_HOME to a folder on a larger disk, and run the same line again"
    )


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk of `folder`, which may not exist yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def not_writable(error: OSError, what: str, folder: Path) -> str:
    """Message for a store that cannot be written for another reason."""
    return (
        f"{what} cannot be written below {folder}: {error}. Make that folder writable, or set NRDFER_HOME to another "
        "folder, and run the same line again"
    )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each with its name on the disk."""
    fresh = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in reversed(fresh):
        sync(path.parent)


def sync_tree(folder: Path) -> None:
    """Flush every file and folder below `folder`, and `folder` itself, to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)
