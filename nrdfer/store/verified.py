"""Cache of files' sha256, computed once per run however many of its steps read them.

A file counts as verified if its inode, length and both times are unchanged. That is cached by this process and, where a
pipeline's run has marked its processes, in ``.verified`` of the store for the others of that run and no longer: damage
by the disk itself changes no time stamp, so a new run verifies everything again. The cache can only confirm: a file
that seems changed is read before an error is raised.
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

from nrdfer.core import leases, paths
from nrdfer.core.errors import StoreError
from nrdfer.core.hashing import file_sha256
from nrdfer.core.processes import run_of_this_process
from nrdfer.core.safe_names import checked_name

FOLDER = ".verified"
_SETTLED_NS = 100_000_000  # a file written twice within a tick of the clock has the same times
Seen = tuple[int, int, int, int, int]  # device, inode, length, modification and change in nanoseconds


class Verified:
    """Cache of verified files: in memory, and in a file that the processes of one run share.

    Args:
        path: of that file; None for none.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[Seen, str] = {}
        self._offset = 0
        self._guard = threading.Lock()

    def find(self, seen: Seen) -> str | None:
        """The cached sha256; None if there is none."""
        with self._guard:
            if seen not in self._known:
                self._read()
            return self._known.get(seen)

    def note(self, seen: Seen, sha256: str) -> None:
        """Remember a file's sha256; a full or read-only disk is no reason to fail."""
        with self._guard:
            self._known[seen] = sha256
            if self._path is not None:
                line = " ".join(map(str, (*seen, sha256))) + "\n"
                with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
                    file.write(line.encode())

    def _read(self) -> None:
        """Read what other processes have added; an incomplete line is ignored."""
        if self._path is None:
            return
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
            data = data[: data.rfind(b"\n") + 1]
            self._offset += len(data)
            for line in data.decode("ascii", "replace").splitlines():
                *numbers, sha256 = line.split(" ")
                if len(numbers) == 5 and all(part.isascii() and part.isdigit() and len(part) < 21 for part in numbers):
                    device, inode, length, modified, changed = map(int, numbers)
                    self._known[device, inode, length, modified, changed] = sha256


_books: dict[tuple[str, Path], Verified] = {}


def _book() -> Verified:
    """The cache of this process and its run; the parent of forked step processes belongs to no run, the steps do."""
    key = (run_of_this_process(), paths.store_root())
    if key not in _books:
        _books[key] = Verified(_file_of(*key))
    return _books[key]


def _file_of(run: str, store: Path) -> Path | None:
    """The file that the processes of a run share; those of ended runs are removed."""
    if not run or not store.is_dir():
        return None
    folder = store / FOLDER
    try:
        path = folder / checked_name(run, "the id of a run")
    except ValueError:
        return None
    with contextlib.suppress(OSError, StoreError):  # without sharing, each process verifies the files
        folder.mkdir(exist_ok=True)
        for other in folder.iterdir():
            if other.name != run and leases.is_over(other.name):
                other.unlink(missing_ok=True)
    return path


def checked_sha256(path: Path) -> str:
    """A file's sha256, computed now or earlier in this run."""
    return _book().find(_look(path)) or _take(path)


def is_content(path: Path, sha256: str) -> bool:
    """Whether a file's content has this sha256; its bytes are read unless this run has already verified them."""
    return _book().find(_look(path)) == sha256 or _take(path) == sha256


def _take(path: Path) -> str:
    before = _look(path)
    found = file_sha256(path)
    if _look(path) == before and time.time_ns() - max(before[3:]) > _SETTLED_NS:
        _book().note(before, found)
    return found


def _look(path: Path) -> Seen:
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
