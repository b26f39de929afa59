"""One video's folder of answers: asked once, written whole or not at all, and found again by what it depends on.

What is in the files belongs to `result`, `tables`, `strip` and `annotate`; many videos, to `folder`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.errors import NoFaceError, NrdferError
from nrdfer.files import write_whole
from nrdfer.predict.annotate import write_annotated
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import NO_FACE, OK, SCHEMA, UNREADABLE, Prediction, prediction_to_dict
from nrdfer.predict.strip import draw_strip
from nrdfer.predict.tables import answer_columns, as_csv, frame_rows, timeline_rows
from nrdfer.store import digest_of, file_sha256
from nrdfer.video.sources import Source

PREDICTION, TIMELINE, FRAMES = "prediction.json", "timeline.csv", "frames.csv"
STRIP, ANNOTATED = "strip.png", "annotated.mp4"
MAKING = ".making"  # below the folder of all: what is not finished


@dataclass(frozen=True, eq=False)
class Work:
    """What is done to every video."""

    predictor: Predictor
    out: Path  # receives a folder a video
    overrides: tuple[str, ...] = ()  # what differs from the training, in words
    annotate: bool = True  # write the annotated video


@dataclass(frozen=True)
class Row:
    """What became of one video."""

    video: str  # path
    clip_id: str  # name of its folder
    status: str  # see predict.result
    reason: str
    emotion: str | None
    probability: float | None
    frames: int
    frames_with_face: int
    duration_s: float
    seconds: float  # that it took; of one that was there before, when it was made
    repeated: bool  # it was there already
    note: str
    answer: dict[str, Any]  # columns of tables.answer_columns

    @property
    def answered(self) -> bool:
        """Whether there was something to say of it, be it that nobody is in it."""
        return self.status in (OK, NO_FACE)

    def flat(self) -> dict[str, Any]:
        """As one row of a table."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "answer"}
        return {**values, **self.answer}


#: Columns of `Row.flat`.
COLUMNS = tuple(
    dict.fromkeys((*(f.name for f in dataclasses.fields(Row) if f.name != "answer"), *answer_columns(None)))
)


def predict_one(source: Source, work: Work) -> Row:
    """Answer for one video and write its folder, unless the same answer is there.

    An answer to something else under the same name is deleted, also if the video turns out to be unreadable.

    Raises:
        OSError: `work.out` cannot be written to.
    """
    began = time.perf_counter()
    folder = work.out / source.clip_id
    try:
        sha256 = file_sha256(source.path)
    except OSError as error:
        forget(folder)
        return failed(source, f"{source.path}: cannot be read ({error.strerror})")
    key = key_of(work, sha256)
    earlier = _earlier(source, work, key)
    if earlier is not None:
        return earlier
    forget(folder)
    try:
        prediction = work.predictor.predict(source.path)
        if prediction.status == UNREADABLE:
            return failed(source, prediction.reason)
        return _write(source, work, prediction, key, sha256, began)
    except NoFaceError as error:
        return failed(source, str(error), NO_FACE)
    except NrdferError as error:  # it could not be encoded, or the video changed meanwhile
        return failed(source, str(error))


def key_of(work: Work, sha256: str) -> str:
    """Name of an answer: all that it depends on."""
    predictor = work.predictor
    preprocessing = predictor.cropper.preprocessing.to_dict()
    for network in ("retinaface", "enlightengan"):
        if preprocessing[network] is not None:
            del preprocessing[network]["path"]  # where a file lies changes nothing
    origin = predictor.model.origin
    return digest_of(
        {
            "schema": SCHEMA,
            "video": sha256,
            "network": [origin.settings_sha256, origin.weights_sha256],
            "preprocessing": preprocessing,
            "windows": asdict(predictor.windows),
        }
    )


def failed(source: Source, reason: str, status: str = UNREADABLE) -> Row:
    """The row of a video that gave nothing."""
    return Row(
        str(source.path), source.clip_id, status, reason, None, None, 0, 0, 0.0, 0.0, False, source.note,
        answer_columns(None),
    )  # fmt: skip


def forget(folder: Path) -> None:
    """Delete an earlier answer; of a folder that holds anything else nothing is deleted."""
    if (folder / PREDICTION).is_file():
        with _place(folder.parent) as temporary:  # moved first: a half-deleted answer would look like somebody's files
            folder.rename(temporary / folder.name)


def common(work: Work) -> dict[str, Any]:
    """What is the same for all videos, for JSON."""
    predictor = work.predictor
    return {
        "model": predictor.model.origin.to_dict(),
        "preprocessing": predictor.cropper.preprocessing.to_dict(),
        "overrides": list(work.overrides),
        "windows": asdict(predictor.windows),
    }


def as_json(content: Any) -> bytes:
    """JSON for people and programs; without numbers that JSON has no word for."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode(errors="backslashreplace")  # names of files need not be UTF-8


def _earlier(source: Source, work: Work, key: str) -> Row | None:
    folder = work.out / source.clip_id
    wanted = (PREDICTION, TIMELINE, FRAMES, STRIP, *([ANNOTATED] if work.annotate else []))
    if not all((folder / name).is_file() for name in wanted):
        return None
    try:
        there = json.loads((folder / PREDICTION).read_text())
        if there["key"] != key:
            return None
        return Row(**{**there["row"], "video": str(source.path), "clip_id": source.clip_id, "repeated": True})
    except (OSError, ValueError, KeyError, TypeError):
        return None  # of another version, or damaged: made again


def _write(source: Source, work: Work, prediction: Prediction, key: str, sha256: str, began: float) -> Row:
    """Write a clip's folder beside its place, and rename it there."""
    with _place(work.out) as temporary:
        fresh = temporary / source.clip_id
        fresh.mkdir()
        write_whole(fresh / TIMELINE, as_csv(timeline_rows(prediction)))
        write_whole(fresh / FRAMES, as_csv(frame_rows(prediction)))
        draw_strip(prediction, source.path.name, work.predictor.model.origin.title, fresh / STRIP)
        if work.annotate:
            write_annotated(source.path, prediction, fresh / ANNOTATED)
        row = _row(source, prediction, time.perf_counter() - began)
        content = {
            "schema": SCHEMA,
            "key": key,
            "video": {"path": str(source.path), "sha256": sha256},
            **common(work),
            **prediction_to_dict(prediction),
            "row": asdict(row),
        }
        write_whole(fresh / PREDICTION, as_json(content))
        fresh.rename(work.out / source.clip_id)
    return row


def _row(source: Source, prediction: Prediction, seconds: float) -> Row:
    answer = prediction.answer
    return Row(
        video=str(source.path),
        clip_id=source.clip_id,
        status=prediction.status,
        reason=prediction.reason,
        emotion=None if answer is None else answer.emotion,
        probability=None if answer is None else answer.probability,
        frames=len(prediction.records),
        frames_with_face=prediction.frames_with_face,
        duration_s=prediction.duration,
        seconds=seconds,
        repeated=False,
        note="; ".join(filter(None, (source.note, prediction.note))),
        answer=answer_columns(answer),
    )


@contextlib.contextmanager
def _place(out: Path) -> Iterator[Path]:
    """A folder on the same disk for what is not finished; gone with all that is left in it at the block's end."""
    (out / MAKING).mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=out / MAKING))
    try:
        yield path
    finally:
        shutil.rmtree(path)
