"""Leases: locked files that living processes hold, so that any host or container can see that a process has ended.

A process number or a host's name means nothing in another container or on another host; a lock on a shared file does,
and the kernel releases it however its holder ends. A lease is named by a Dagster run's id, or by a random token for any
other process, and is a file below ``leases`` of the project's folder. Keep out: what is done about a process that has
ended (``pipelines/repair.py``, ``nrdfer.tracking.pending_uploads``).

A missing file is a lease that is over, so a file may be removed by whoever has locked it. On file systems whose locks
are local to a machine (Lustre's ``localflock``, NFS's ``local_lock``) a free lock proves nothing about another machine.
So the file also names the kernel that runs the holder, and the holder touches it regularly: for another kernel's lease,
the lock must be free and the file untouched for `SILENT` seconds, both times being the file system's. Processes on the
same kernel, whatever their namespaces, are judged by the lock alone, at once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from multiprocessing import util
from pathlib import Path

from nrdfer.core import file_locks, paths
from nrdfer.core.atomic_files import move_new, temporary_beside
from nrdfer.core.errors import StoreError
from nrdfer.core.safe_names import checked_name

EVERY = 10.0  # seconds between two touches
SILENT = 45.0  # seconds without a touch after which a process on another kernel has ended, if its lock is free
_PATIENCE = 10.0  # seconds for whoever looks at a lease to let go of it
_ID = ".id"
_PROBE = ".probe"

_guard = threading.RLock()
_held: dict[Path, int] = {}  # leases of this process, each with its open file
_tokens: dict[Path, str] = {}  # by folder
_threads: list[threading.Thread] = []


def take(name: str) -> None:
    """Hold the lease `name` until this process ends; nothing happens if it holds it already.

    Raises:
        StoreError: another process holds it, or the file system has no locks.
        OSError: the disk is full or not writable.
        ValueError: it can be no file's name.
    """
    take_file(_path(name))


def is_over(name: str) -> bool:
    """Whether the process that held this lease has ended; False where that cannot be seen, or of no valid name."""
    try:
        return is_over_file(_path(name))
    except ValueError:
        return False


def is_held_here(name: str) -> bool:
    """Whether this very process holds the lease."""
    return _path(name) in _held


def of_this_process() -> str:
    """Name of a lease that this process holds from now on, the same at every call; a forked child has its own.

    Raises:
        StoreError: the file system has no locks.
        OSError: the disk is full or not writable.
    """
    folder = _folder()
    with _guard:
        name = _tokens.setdefault(folder, secrets.token_hex(16))
        take(name)
        return name


def home_id() -> str:
    """Random id of this project's folder, made at the first call: a folder of the same path elsewhere has another.

    Raises:
        OSError: the disk is full or not writable.
    """
    path = _folder() / _ID
    while True:
        with contextlib.suppress(FileNotFoundError):
            found = path.read_text(errors="replace").strip()
            if len(found) == 32 and found.isalnum():
                return found
            path.unlink(missing_ok=True)  # a power cut left it empty
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = temporary_beside(path)
        try:
            with fresh.open("x") as file:
                file.write(secrets.token_hex(16))
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                move_new(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)


def sweep() -> int:
    """Remove the files of leases that are over; returns how many."""
    return sum(_remove_if_over(path) for path in _folder().glob("[!.]*"))


@contextlib.contextmanager
def held_file(path: Path) -> Iterator[None]:
    """Hold a lease in any folder for the time of the block; its file stays behind. Raises what `take` does."""
    take_file(path)
    try:
        yield
    finally:
        with _guard:
            handle = _held.pop(path, None)  # none in a child that was forked meanwhile
            if handle is not None:
                os.close(handle)


def take_file(path: Path) -> None:
    """As `take`, for a lease in any folder."""
    with _guard:
        if path in _held:
            if _is_of(path, _held[path]):
                return
            os.close(_held.pop(path))  # the folder was removed and made again
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _lock_new(path)
        try:
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps({"kernel": _kernel()}).encode())
        except BaseException:
            path.unlink(missing_ok=True)
            os.close(handle)
            raise
        _held[path] = handle
        if not _threads:
            util.Finalize(None, _end, exitpriority=-100)  # after the children were joined; in forked ones, too
            _threads.append(threading.Thread(target=_touch_regularly, name="leases", daemon=True))
            _threads[0].start()


def is_over_file(path: Path) -> bool:
    """As `is_over`, for a lease in any folder."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    try:
        # shared: two that ask at once must not take each other for the holder
        return file_locks.lock(handle, path, wait=False, shared=True) and _is_certain(path, handle)
    finally:
        os.close(handle)


def _remove_if_over(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        free = file_locks.lock(handle, path, wait=False) and _is_certain(path, handle) and _is_of(path, handle)
        if free:
            path.unlink(missing_ok=True)
        return free
    finally:
        os.close(handle)


def _path(name: str) -> Path:
    return _folder() / checked_name(name, "the name of a lease")


def _folder() -> Path:
    return paths.home() / "leases"


def _lock_new(path: Path) -> int:
    """Open and lock a file that still has its name then: one that removes it may have been faster."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            locked = file_locks.lock(handle, path, wait=False)
        except BaseException:
            os.close(handle)
            raise
        if locked and _is_of(path, handle):
            return handle
        os.close(handle)
        time.sleep(0.01)
    raise StoreError(f"another process holds {path}, so the same run is executed twice; end one of the two")


def _is_of(path: Path, handle: int) -> bool:
    """Whether an open file still has this name."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _is_certain(path: Path, handle: int) -> bool:
    """Whether a free lock proves that the holder has ended: on this kernel it does; else it must also be silent."""
    try:
        kernel = json.loads(os.pread(handle, 1000, 0))["kernel"]
    except (ValueError, LookupError, TypeError):
        kernel = ""  # locked, but not yet written, on another machine; or cut by a full disk
    return kernel == _kernel() or _is_silent(path, handle)


def _is_silent(path: Path, handle: int) -> bool:
    try:
        probe = os.open(path.with_name(_PROBE), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return False
    try:
        os.utime(probe)  # by the file system's clock, as the holder does
        return os.fstat(probe).st_mtime - os.fstat(handle).st_mtime > SILENT
    finally:
        os.close(probe)


@functools.cache
def _kernel() -> str:
    """Id of the running kernel; containers share it, and a restart changes it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # not Linux
        return platform.node()


def _touch_regularly() -> None:
    while True:
        time.sleep(EVERY)
        with _guard:
            held = tuple(_held)
        for path in held:
            with contextlib.suppress(OSError):
                os.utime(path)


def _end() -> None:
    """At a clean end, leave no files behind."""
    with _guard:
        while _held:
            path, handle = _held.popitem()
            with contextlib.suppress(OSError):
                if _is_of(path, handle):
                    path.unlink()
            os.close(handle)


def _forget() -> None:
    """In a forked child: hold nothing, so that a living child of a dead process does not keep its leases."""
    global _guard
    _guard = threading.RLock()
    for handle in _held.values():
        os.close(handle)  # closing releases nothing that the parent has open
    for known in (_held, _tokens, _threads):
        known.clear()


os.register_at_fork(before=lambda: _guard.acquire(), after_in_parent=lambda: _guard.release(), after_in_child=_forget)
