"""Videos of the page: one is predicted at a time, in a private folder, and its files go with it.

What a visitor sees of it belongs to `view`; the page, to `page`.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.rows import Row
from nrdfer.predict.video_output import ANNOTATED, FRAMES, PREDICTION, STRIP, TIMELINE, Work, predict_one
from nrdfer.serving.limits import Limits
from nrdfer.video.bounds import Bounds, Watch, bounded, check_header
from nrdfer.video.discovery import list_sources
from nrdfer.video.probe import probe

_POLL = 0.25  # seconds between two looks at the progress
#: Times that a video is decoded: for its faces, for the crops, for the annotated video.
_PASSES = 3
_DEFECT = "the video could not be processed because of a defect of this program; its log says more"


@dataclass(frozen=True)
class Progress:
    """How far a video is."""

    share: float  # 0 to 1
    words: str


@dataclass(frozen=True)
class Refused:
    """A video without a result."""

    reason: str


@dataclass(frozen=True)
class Result:
    """A video's result."""

    token: str  # names it in addresses; cannot be guessed
    name: str  # of the file, as its owner calls it
    folder: Path
    document: dict[str, Any]  # `PREDICTION`

    @property
    def people(self) -> list[dict[str, Any]]:
        """The people of the video, the main one first; each with number, colour, answer and timeline."""
        people: list[dict[str, Any]] = self.document["people"]
        return people

    @cached_property
    def starts(self) -> tuple[float, ...]:
        """When each frame appears in playback, seconds; frames of a variable rate stay differently long."""
        with (self.folder / FRAMES).open(newline="", encoding="utf-8") as file:
            return tuple(float(row["time_s"]) for row in csv.DictReader(file))

    @property
    def files(self) -> list[str]:
        """Names of the files that are there, the annotated video and the whole result first."""
        first = [name for name in (ANNOTATED, PREDICTION, TIMELINE, FRAMES, STRIP) if (self.folder / name).is_file()]
        return [*first, *sorted({path.name for path in self.folder.iterdir() if path.is_file()} - set(first))]


@dataclass
class _Job:
    """A video that is being predicted."""

    out: Path  # receives the result
    video: Path  # its own name of the upload, in a folder of its own
    watch: Watch
    left: bool = False  # whether its visitor has
    ended: bool = False  # whether its thread has


class Sessions:
    """Results of all visitors.

    Args:
        predictor: loaded.
        folder: private; receives a folder a video.
        limits: of a video.
        overrides: differences from the training, as text.
    """

    def __init__(self, predictor: Predictor, folder: Path, limits: Limits, overrides: tuple[str, ...] = ()) -> None:
        self._predictor, self._folder, self._overrides = predictor, folder, overrides
        self._bounds = Bounds(limits.frames, limits.pixels, limits.duration, limits.video_bytes)
        self._lock = threading.Lock()
        self._results: dict[str, Result] = {}  # visitor -> result
        self._uploads: dict[Path, set[str]] = {}  # upload -> visitors whose analysis of it has not begun
        self._jobs: list[tuple[threading.Thread, _Job]] = []

    def arrived(self, visitor: str, upload: Path) -> None:
        """Record whose an upload is: the same content has one file, whoever dropped it."""
        with self._lock:
            self._uploads.setdefault(upload, set()).add(visitor)

    def analyse(self, visitor: str, upload: Path) -> Iterator[Progress | Refused | Result]:
        """Predict a video; its upload is removed, and the visitor's earlier result before.

        A visitor who leaves meanwhile is not waited for: the video's thread ends at its next frame and removes what
        is left.

        Yields:
            Its progress, and at the end the result or why there is none.
        """
        self.forget(visitor)
        self.arrived(visitor, upload)
        token = secrets.token_urlsafe(24)
        job = _Job(self._folder / token, self._folder / f"{token}-video" / upload.name, Watch(self._bounds))
        try:
            job.video.parent.mkdir()
            os.link(upload, job.video)
        except OSError as error:
            shutil.rmtree(job.video.parent, ignore_errors=True)
            yield Refused(one_line(f"the upload cannot be read: {error.strerror}"))
            return
        finally:
            self._release(visitor, upload)
        outcome: list[Refused | Result] = []

        def work() -> None:
            try:
                outcome.append(self._predict(job, token))
            finally:
                self._ended(job)

        worker = threading.Thread(target=work, daemon=True)
        with self._lock:
            self._jobs.append((worker, job))
        worker.start()
        try:
            frames = _frames(job.video)
            while worker.is_alive():
                yield _progress(job.watch, frames)
                worker.join(_POLL)
        except BaseException:  # above all GeneratorExit: the visitor has left
            self._leave(job)
            raise
        found: Refused | Result = outcome[0] if outcome else Refused(_DEFECT)
        if isinstance(found, Result):
            with self._lock:
                self._results[visitor] = found
        else:
            shutil.rmtree(job.out, ignore_errors=True)
        yield found

    def close(self, seconds: float = 30.0) -> None:
        """End what is being predicted, and wait for it."""
        with self._lock:
            jobs = list(self._jobs)
        for _, job in jobs:
            self._leave(job)
        for worker, _ in jobs:
            worker.join(seconds)

    def _leave(self, job: _Job) -> None:
        """Nobody waits for a video any more; its files go with the later of this and its end."""
        job.watch.cancelled = True
        with self._lock:
            job.left, ended = True, job.ended
        if ended:
            shutil.rmtree(job.out, ignore_errors=True)

    def _ended(self, job: _Job) -> None:
        shutil.rmtree(job.video.parent, ignore_errors=True)
        with self._lock:
            job.ended, left = True, job.left
            self._jobs = [(worker, other) for worker, other in self._jobs if other is not job]
        if left:
            shutil.rmtree(job.out, ignore_errors=True)

    def _release(self, visitor: str, upload: Path) -> None:
        with self._lock:
            whose = self._uploads.get(upload, set())
            whose.discard(visitor)
            if whose:
                return
            self._uploads.pop(upload, None)
        upload.unlink(missing_ok=True)

    def of(self, visitor: str) -> Result | None:
        """A visitor's result."""
        with self._lock:
            return self._results.get(visitor)

    def file(self, token: str, name: str) -> Path | None:
        """A file of a result; None if there is no such result or it has no such file."""
        with self._lock:
            found = next((result for result in self._results.values() if result.token == token), None)
        return found.folder / name if found is not None and name in found.files else None

    def leave(self, visitor: str) -> None:
        """Remove a visitor's result, and uploads of which no analysis has begun."""
        self.forget(visitor)
        with self._lock:
            theirs = [upload for upload, whose in self._uploads.items() if visitor in whose]
        for upload in theirs:
            self._release(visitor, upload)

    def forget(self, visitor: str) -> None:
        """Remove a visitor's result."""
        with self._lock:
            result = self._results.pop(visitor, None)
        if result is not None:
            shutil.rmtree(result.folder.parent, ignore_errors=True)

    def _predict(self, job: _Job, token: str) -> Refused | Result:
        name = one_line(name_text(job.video.name))
        try:
            job.out.mkdir()
            check_header(job.video, self._bounds)
            (source,) = list_sources([job.video])
            with bounded(self._bounds, job.watch):
                row = predict_one(source, Work(self._predictor, job.out, self._overrides))
            return self._outcome(row, job.out / source.clip_id, name, token, job.video)
        except NrdferError as error:
            return Refused(_named(str(error), job.video, name))

    def _outcome(self, row: Row, folder: Path, name: str, token: str, upload: Path) -> Refused | Result:
        """The result of a row; a video that was read has one also where nobody is in it."""
        if not (folder / PREDICTION).is_file():
            return Refused(_named(row.reason, upload, name))
        return Result(token, name, folder, json.loads((folder / PREDICTION).read_text()))


def _named(reason: str, upload: Path, name: str) -> str:
    """A reason that names the video as its owner does."""
    return one_line(reason.replace(f"{upload}: ", "").replace(str(upload), name))


def _frames(upload: Path) -> int:
    """Expected number of frames; 0 if nothing states it."""
    with contextlib.suppress(NrdferError, OSError):
        info = probe(upload)
        return round(info.fps * (info.duration_s or 0))
    return 0


def _progress(watch: Watch, frames: int) -> Progress:
    if not watch.frame:
        return Progress(0.0, "opening the video")
    known = max(frames, watch.frame)
    share = min(0.99, (watch.passes - 1 + watch.frame / known) / _PASSES)
    doing = ("looking for faces", "cutting out faces", "drawing the annotated video")[min(watch.passes, _PASSES) - 1]
    return Progress(share, f"{doing}: frame {watch.frame:,} of {known:,}")
