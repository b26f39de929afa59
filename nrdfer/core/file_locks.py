"""The kernel's locks on files (``flock``): they end with the process that holds them, however it ends.

What belongs here: taking and giving back, and what to tell where a file system has none. What is locked is for others
to say (``paths.file_lock``, ``store.locks``).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from nrdfer.core.errors import StoreError

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


def lock(handle: IO[str] | IO[bytes] | int, path: Path, *, wait: bool = True) -> bool:
    """Lock an open file for this process alone.

    Args:
        handle: the file.
        path: its name, for messages.
        wait: for whoever holds it.

    Returns:
        Whether it is locked; False only if it is not waited for.

    Raises:
        StoreError: the file system has no locks.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise StoreError(
            f"the file system of {path.parent} has no file locks ({os.strerror(error.errno or 0)}), and without them "
            "two processes could write the same at once; keep this folder on a local disk (NRDFER_HOME says where the "
            "project's is), or mount its file system with locks (NFS: start its lock service, or `-o local_lock=flock`)"
        ) from None
    return True


def unlock(handle: IO[str] | IO[bytes] | int) -> None:
    """Give a lock back before the file is closed."""
    fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, which is made if missing; its folder too. Waits for another holder.

    Raises:
        StoreError: the file system has no locks, or nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); make that folder writable, or set NRDFER_HOME to "
            "another one, and run the same line again"
        ) from error
    with handle:
        lock(handle, path)
        try:
            yield
        finally:
            unlock(handle)
