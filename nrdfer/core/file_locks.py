"""The kernel's locks on files (``flock``): the only place that acquires and releases such a lock.

Keep out: which file is locked, which each caller names. The package ``filelock`` is not used. It locks files by path
only, whereas the training's log locks the file that it has open and `nrdfer.runtime.gpu_slots` keeps handles; it waits
by polling, whereas the kernel wakes a waiter at once; and on a file system without ``flock`` it uses the existence of a
file as a lock, which outlives a killed process. Here such a file system is refused.

A lock belongs to the open file: it ends with the last process that has it open, however that ends. A forked child
shares it, a program that is started does not (Python closes files then), and a file that is renamed or removed stays
locked for those that have it open. So lock files are never removed, because a process that waits on a removed one would
hold its lock at the same time as one that creates a new file; the files of `leases` are, whose holders look again. The
holder of a lock is not recorded; a caller that wants to wait for a limited time uses ``wait=False``.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from nrdfer.core.errors import StoreError

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


def lock(
    handle: IO[str] | IO[bytes] | int,
    path: Path,
    *,
    wait: bool = True,
    busy: Callable[[], object] | None = None,
    shared: bool = False,
) -> bool:
    """Lock an open file for this process alone, or together with others.

    Args:
        handle: the file.
        path: its name, for messages.
        wait: for another holder.
        busy: called once before it waits, to report that; an exception that it raises ends the waiting.
        shared: others may hold it shared too. Changing a held lock from one kind to the other releases it for a moment.

    Returns:
        Whether it is locked; False only if it is not waited for.

    Raises:
        StoreError: the file system has no locks.
        ValueError: it is to be locked for this process alone and is not open for writing, as NFS wants it; refused on
            every file system, so that it shows on any.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    if not shared and fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise ValueError(f"{path} is open for reading only, and cannot be locked exclusively on NFS")
    try:
        try:
            fcntl.flock(handle, kind if wait and busy is None else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if busy is None or not wait:
                return False
            busy()
            fcntl.flock(handle, kind)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise StoreError(
            f"the file system of {path.parent} has no file locks ({os.strerror(error.errno or 0)}), and without them "
            "two processes could write the same at once; keep this folder on a local disk (NRDFER_HOME says where the "
            "project's is), or mount its file system with locks (NFS: version 4, or start the lock service; Lustre: "
            "`-o flock`); locks that only one machine sees (`local_lock`, `localflock`) protect from no other machine"
        ) from None
    return True


def unlock(handle: IO[str] | IO[bytes] | int) -> None:
    """Release a lock before the file is closed."""
    fcntl.flock(handle, fcntl.LOCK_UN)


@contextlib.contextmanager
def held(path: Path, busy: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on `path`, which is created if missing, with its folder. Waits for another holder.

    Args:
        path: of the lock file.
        busy: see `lock`.

    Raises:
        StoreError: the file system has no locks, or nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("a")
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written ({error.strerror or error}); make that folder writable, or set NRDFER_HOME to "
            "another one, and run the same command again"
        ) from error
    with handle:
        lock(handle, path, busy=busy)
        try:
            yield
        finally:
            unlock(handle)
