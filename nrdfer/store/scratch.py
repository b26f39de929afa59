"""Cache of fetched artefacts on a disk of this machine alone, with a limit; the least recently used go first.

An artefact's lock file says three things: a process that fetches it holds it alone, processes that read it hold it
together until they end, and its time is that of the last use. So one in use is never removed, and nothing has to be
cleaned up after a kill: an unfinished fetch is an entry like others, continued by the next process that wants it.
Where artefacts come from belongs to ``copies``.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from nrdfer.core import disk
from nrdfer.core.atomic_files import sync
from nrdfer.core.errors import StoreError
from nrdfer.core.file_locks import held, lock, unlock
from nrdfer.store.manifest import read_manifest

LIMIT = "NRDFER_SCRATCH_LIMIT"
FETCHING = ".fetch-"
_GONE = ".gone-"
_PAUSE = 0.05  # seconds
_NAME = re.compile(rf"({re.escape(FETCHING)})?[0-9a-f]{{64}}")
_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?)B?", re.IGNORECASE)
#: Fills a temporary folder, given a function that reserves bytes; False if the artefact is nowhere.
Fill = Callable[[Path, Callable[[int], object]], bool]
_in_use: dict[tuple[int, Path], IO[str]] = {}  # by process: a forked one shares its parent's locks, but not its place


class Scratch:
    """Artefacts below one folder of this machine.

    Args:
        root: of the cache.
        limit: bytes that it may hold; None for the whole disk.
    """

    def __init__(self, root: Path, limit: int | None) -> None:
        self.root, self.limit = root.absolute(), limit

    def path(self, asset: str, digest: str, fill: Fill) -> Path | None:
        """Path of an artefact, fetched if it is not here, and kept until this process ends; None if it is nowhere.

        Args:
            asset: its name.
            digest: its digest.
            fill: fetches it.

        Raises:
            StoreError: what is in use leaves no room for it.
            OSError: the disk is full or not writable.
        """
        place = self.root / asset / digest
        if (os.getpid(), place) in _in_use:
            if place.is_dir():
                return place
            _in_use.pop((os.getpid(), place)).close()  # a user removed it; this process must not wait for itself
        lock_file = self._lock_file(digest)
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        handle = lock_file.open("a+")  # some file systems give a shared lock only on what is open for reading
        try:
            while True:
                lock(handle, lock_file, shared=True)
                if place.is_dir():
                    os.utime(lock_file)
                    _in_use[os.getpid(), place] = handle
                    return place
                unlock(handle)
                # never waited for: whoever has fetched it meanwhile holds the lock as long as it reads
                if not lock(handle, lock_file, wait=False):
                    time.sleep(_PAUSE)
                    continue
                if not place.is_dir() and not self._fetch(place, fill):
                    handle.close()
                    return None
                unlock(handle)
        except BaseException:
            handle.close()
            raise

    def forget(self, asset: str, digest: str) -> None:
        """Remove a copy that was found damaged; other processes that read it keep their open files."""
        place = self.root / asset / digest
        handle = _in_use.pop((os.getpid(), place), None)
        if handle is not None:
            handle.close()
        self._remove(place)

    def entries(self) -> list[tuple[Path, int]]:
        """Folders of copies, and of unfinished ones, each with its bytes when whole; the least recently used first."""
        found = []
        for path in _folders(self.root):
            try:
                size = int(read_manifest(path)["bytes"])
            except (ValueError, KeyError, TypeError):
                size = sum(file.lstat().st_size for file in path.rglob("*") if file.is_file())
            found.append((path, size))
        return sorted(found, key=lambda entry: (self._last_used(entry[0]), entry[0]))

    def _fetch(self, place: Path, fill: Fill) -> bool:
        temporary = place.with_name(f"{FETCHING}{place.name}")
        try:
            if not fill(temporary, lambda size: self._make_room(temporary, size)):
                return False
        except OSError as error:
            if not disk.is_disk_full(error, self.root):
                raise
            raise StoreError(self._no_room(temporary, disk.free_bytes(self.root))) from error
        temporary.rename(place)
        sync(place.parent)
        return True

    def _make_room(self, fresh: Path, size: int) -> None:
        """Remove what was least recently used until all, with what others are fetching, is within limit and disk."""
        with held(self.root / ".locks" / "room"):
            for path in self.root.rglob(f"{_GONE}*"):  # removed under this lock: whoever began has been killed
                shutil.rmtree(path, ignore_errors=True)
            entries = self.entries()
            total = sum(count for _, count in entries)
            to_come = size - sum(file.lstat().st_size for file in fresh.rglob("*") if file.is_file())

            def is_enough() -> bool:
                within = self.limit is None or total <= self.limit
                return within and disk.free_bytes(self.root) >= to_come

            for path, count in entries:
                if is_enough():
                    return
                if path != fresh and self._remove_unused(path):
                    total -= count
            if is_enough():
                return
            free = disk.free_bytes(self.root)
            shutil.rmtree(fresh, ignore_errors=True)
            if self.limit is None or total <= self.limit:
                raise StoreError(self._no_room(fresh, free, size))
            raise StoreError(
                f"{self.root} has no room for {fresh.parent.relative_to(self.root)} ({size:,} bytes): {LIMIT} is "
                f"{self.limit:,} bytes, and {total - size:,} are in use; raise it, or unset NRDFER_SCRATCH to keep "
                "fetched artefacts in the store"
            )

    def _no_room(self, fresh: Path, free: int, size: int | None = None) -> str:
        of_size = "" if size is None else f" ({size:,} bytes)"
        return (
            f"no room on the disk of {self.root} for {fresh.parent.relative_to(self.root)}{of_size}: {free:,} bytes "
            "are free, and all other copies there are in use; free some, set NRDFER_SCRATCH to a folder on a larger "
            "disk, or unset it to keep fetched artefacts in the store"
        )

    def _remove_unused(self, path: Path) -> bool:
        lock_file = self._lock_file(path.name.removeprefix(FETCHING))
        with lock_file.open("a") as handle:
            if not lock(handle, lock_file, wait=False):
                return False
            self._remove(path)
            return True

    def _remove(self, path: Path) -> None:
        """Rename first: what is half removed must not be taken for a copy."""
        gone = path.with_name(f"{_GONE}{path.name}-{os.getpid()}")
        try:
            path.rename(gone)
        except FileNotFoundError:
            return
        shutil.rmtree(gone, ignore_errors=True)

    def _lock_file(self, digest: str) -> Path:
        return self.root / ".locks" / f"{digest}.lock"

    def _last_used(self, path: Path) -> int:
        try:
            return self._lock_file(path.name.removeprefix(FETCHING)).stat().st_mtime_ns
        except FileNotFoundError:
            return 0


def _folders(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _NAME.fullmatch(path.name):
            yield path
        elif path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from _folders(path)


def bytes_of(text: str) -> int:
    """An amount such as ``50G`` in bytes, thousands as disks count them.

    Raises:
        StoreError: it is none.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or not float(found[1]):
        raise StoreError(f"{LIMIT}={text[:40]} is not valid: give bytes, or an amount such as 500M, 50G or 2T")
    return int(float(found[1]) * 1000 ** " KMGT".index(found[2].upper() or " "))
