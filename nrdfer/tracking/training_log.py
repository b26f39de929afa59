"""The log of one training: append-only JSON lines, the source of everything that is shown elsewhere.

Keep here: writing whole lines, and reading them. Keep out: who shows them (``background_upload`` brings
them into MLflow), and the history that goes with the weights (``nrdfer.models.saved_model``).

Every line has ``kind`` and ``time`` (seconds since 1970):

- ``start``: a training begins or continues (engine, device, world size, the step it continues from);
- ``batch``: ``step`` (batches done over the whole training, from 1), ``epoch``, ``loss``, ``lr``,
  ``clips_per_second``, ``waiting_share``;
- ``epoch``: ``epoch``, ``step`` and the figures of ``EpochReport``;
- ``system``: ``step`` (samples taken over the whole training, from 1) and the figures of
  ``nrdfer.training.system_metrics``;
- ``stop``: ``reason``.

A killed training computes the steps after its last checkpoint again and logs them again, with the same values: of
several lines of one kind and step, the last counts (`last_of_each`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import sync, write_whole
from nrdfer.core.errors import TrainingError
from nrdfer.core.file_locks import lock, unlock
from nrdfer.core.state_files import DAMAGED, quarantine

LOG = "train.jsonl"
_BLOCK = 1 << 16
_COUNTS = {"batch": "step", "epoch": "epoch", "system": "step"}  # what the lines of each kind are counted by
_LATEST = 1e11  # seconds since 1970: in some thousand years
_MOST = 1 << 53  # whole numbers up to here are floats, too
_log = logging.getLogger(__name__)


class TrainingLog:
    """A log open for appending; several threads and processes may write one file.

    Opening cuts off a torn last line, which a kill may have left, and leaves out lines that the disk has damaged.

    Args:
        path: of the file; made if missing, its folder too.
        clock: gives ``time``.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._guard = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        repair_log(path)
        self._handle = _open(path)
        with self._guard:
            self._lock()
            try:
                _mend(self._handle)
            finally:
                self._unlock()

    def write(self, kind: str, **fields: Any) -> None:
        """Append one line, whole or not at all.

        Raises:
            OSError: it cannot be written (disk full); the file is as before.
        """
        data = (json.dumps({"kind": kind, "time": self._clock(), **fields}) + "\n").encode()
        with self._guard:
            self._lock()  # another process may be mending the file
            try:
                written = os.write(self._handle, data)
                if written < len(data):
                    os.ftruncate(self._handle, os.fstat(self._handle).st_size - written)
                    raise OSError(errno.ENOSPC, "no room for a line of the training's log", str(self.path))
            finally:
                self._unlock()

    def sync(self) -> None:
        """Flush the log to the disk, before a checkpoint declares those steps done."""
        with self._guard:
            os.fsync(self._handle)
        sync(self.path.parent)

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            if self._handle >= 0:
                os.close(self._handle)
                self._handle = -1

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lock(self) -> None:
        """Lock the file of this name; another process may have repaired it, which makes a new one."""
        lock(self._handle, self.path)
        while not _is_named(self._handle, self.path):
            fresh = _open(self.path)  # first: a handle that is closed would end every later write
            os.close(self._handle)
            self._handle = fresh
            lock(self._handle, self.path)

    def _unlock(self) -> None:
        unlock(self._handle)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)


def _is_named(handle: int, path: Path) -> bool:
    """Whether no other file than the opened one has that name."""
    try:
        there = path.stat()
    except FileNotFoundError:  # moved with its folder: it goes on there
        return True
    opened = os.fstat(handle)
    return (opened.st_dev, opened.st_ino) == (there.st_dev, there.st_ino)


def _mend(handle: int) -> None:
    """Cut everything after the last newline."""
    size = end = os.fstat(handle).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)


def read_log(path: Path, offset: int = 0, most: int = 1 << 20) -> tuple[list[dict[str, Any]], int]:
    """Whole lines from `offset` on, and the offset after them; no lines if there is no file yet.

    Args:
        path: of the log.
        offset: 0, or what an earlier call returned.
        most: bytes read at once; call again until no lines come.

    Raises:
        TrainingError: a whole line is not one that `TrainingLog` wrote.
    """
    if not path.is_file():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(most)
        while data and b"\n" not in data and (more := file.read(most)):  # one line longer than `most`
            data += more
    data = data[: data.rfind(b"\n") + 1]
    lines = []
    for raw in data.split(b"\n")[:-1]:
        try:
            lines.append(_understood(raw))
        except ValueError as error:
            raise TrainingError(
                f"{path} is damaged: {raw[:80]!r} after byte {offset} is not a line of a training's log; "
                "move the file away, and the training continues with a new one"
            ) from error
    return lines, offset + len(data)


def _understood(raw: bytes) -> dict[str, Any]:
    """A line as `TrainingLog` wrote it.

    Raises:
        ValueError: it is something else.
    """
    try:
        entry = json.loads(raw)
        line = {**entry, "kind": str(entry["kind"]), "time": float(entry["time"])}
        counts = [line[_COUNTS[line["kind"]]]] if line["kind"] in _COUNTS else []
        counts += [line[count] for count in ("step", "epoch") if count in line]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"no line of a log: {error!r}"[:200]) from error
    numbers = [value for value in line.values() if isinstance(value, int)]
    if not (0 <= line["time"] < _LATEST and all(abs(number) < _MOST for number in numbers)):
        raise ValueError("its numbers are too large")
    if not all(type(count) is int and count >= 0 for count in counts):
        raise ValueError("it does not count steps")
    return line


def repair_log(path: Path) -> int:
    """Remove damaged lines from a log, with a warning; a copy of the original is kept. Returns how many there were.

    Raises:
        TrainingError: the copy cannot be kept; the log is as before.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a folder or a pipe in its place
            quarantine(path)
            return 0
        file = path.open("r+b")  # NFS locks exclusively only what is open for writing
    except FileNotFoundError:
        return 0
    with file:
        lock(file, path)  # until the repaired file has the name: writers look for it once they have the lock
        if not _is_named(file.fileno(), path):  # it has just been repaired by another process
            return 0
        original = file.read()
        *whole, torn = original.split(b"\n")
        good = [raw for raw in whole if _is_line(raw)]
        damaged = len(whole) - len(good)
        if damaged:
            kept = path.parent / DAMAGED / f"{path.name}-{time.time_ns()}"
            try:
                kept.parent.mkdir(exist_ok=True)
                write_whole(kept, original)  # a copy: the log keeps its name all the while
            except OSError as error:
                raise TrainingError(
                    f"{path} has {damaged} damaged lines, and no copy of it can be kept in {kept.parent} "
                    f"({error.strerror}); make that a folder that can be written to, or move the log away"
                ) from error
            write_whole(path, b"\n".join([*good, torn]))
            _log.warning("%s had %d damaged lines, which were removed; the original is in %s", path, damaged, kept)
    return damaged


def _is_line(raw: bytes) -> bool:
    with contextlib.suppress(ValueError):
        _understood(raw)
        return True
    return False


def read_all(path: Path) -> list[dict[str, Any]]:
    """Every whole line.

    Raises:
        TrainingError: as `read_log`.
    """
    lines, offset = read_log(path)
    found = lines
    while lines:
        lines, offset = read_log(path, offset)
        found.extend(lines)
    return found


def last_of_each(lines: Iterable[dict[str, Any]], kind: str) -> dict[int, dict[str, Any]]:
    """The lines of one kind by step, in the order of steps; for a step logged twice, the last."""
    found = {int(line["step"]): line for line in lines if line["kind"] == kind and "step" in line}
    return dict(sorted(found.items()))
