"""Small files that are never seen half-written. Artefacts of many files are `nrdfer.store`'s.

Requires little of a file system: hard links, modes and the flushing of folders are used where available. A new file has
the mode that the user's umask gives.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

_NO_SUCH_THING = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
#: What `link` answers where files cannot have two names; other errors (a full disk) are no reason to try another way.
_NO_LINKS = _NO_SUCH_THING | {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK}
#: No file handle or memory left, or a server of files that is away: the next try may find the file whole.
OF_THE_MACHINE = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
     errno.ENOTCONN}
)  # fmt: skip


def open_plain(path: str | os.PathLike[str]) -> FileIO:
    """Open a regular file of unknown origin for reading; opening a pipe would block until it has a writer.

    Raises:
        OSError: it is not there, may not be read, or is a folder, a pipe or a device.
    """
    return open(path, "rb", buffering=0, opener=_regular)


def _regular(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NONBLOCK)  # which means nothing to a regular file
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", path)


def write_whole(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file, from one piece or several, so that its name shows the old content or the new one.

    That holds even after a power cut. The folder is made if missing. Two writers do not disturb each other; the last
    one stays.

    Raises:
        OSError: the disk is full or not writable; nothing has changed and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def temporary_beside(path: Path) -> Path:
    """A unique hidden name in the same folder, for what will be renamed to `path`.

    It ends as `path` does, because some writers go by that. It does not hold the whole name, which may be as long as
    the file system allows.
    """
    suffix = path.suffix if len(path.suffix) <= 16 and path.suffix.isascii() else ""
    return path.with_name(f".nrdfer-{os.getpid()}-{secrets.token_hex(6)}.part{suffix}")


def sync(path: Path) -> None:
    """Flush one file, or the names in one folder, to the disk, so that they survive a power cut.

    Some file systems (CIFS, FUSE) flush no folders on demand and report that; there, durability of names is up to them.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SUCH_THING or not path.is_dir():
            raise
    finally:
        os.close(handle)


def move_new(source: Path, target: Path) -> None:
    """Rename a file to an unused name; of two concurrent calls, one succeeds.

    Raises:
        FileExistsError: `target` is there; `source` stays.
        OSError: the disk is not writable.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _place(source, target)
    else:
        source.unlink()


def _place(source: Path, target: Path) -> None:
    """As `move_new`, without hard links: claim the name with an empty file, then replace it."""
    target.open("xb").close()
    source.replace(target)
