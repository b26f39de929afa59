"""One video's result folder: computed once, written whole or not at all, and found again by its inputs.

What is in the files belongs to `result`, `tables`, `strip` and `annotate`; many videos, to `batch`.
"""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import DeviceError, NoFaceError, NotOursError, NrdferError
from nrdfer.core.own_files import is_as_made, publish, refuse_foreign, remove_made, unfinished
from nrdfer.core.plain_text import name_text, one_line, utf8
from nrdfer.predict.annotate import write_annotated
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import (
    NO_FACE,
    REFUSED,
    SCHEMA,
    UNREADABLE,
    Person,
    Prediction,
    prediction_to_dict,
)
from nrdfer.predict.rows import Row, people_columns
from nrdfer.predict.strip import draw_strip
from nrdfer.predict.tables import (
    answer_columns,
    as_csv,
    frame_rows,
    people_rows,
    person_columns,
    timeline_rows,
    whole_columns,
)
from nrdfer.store import digest_of, file_sha256
from nrdfer.video.discovery import Source

PREDICTION, TIMELINE, FRAMES = "prediction.json", "timeline.csv", "frames.csv"
STRIP, ANNOTATED, PEOPLE = "strip.png", "annotated.mp4", "people.csv"
#: What a write answers when every other one will, too.
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_MOST_REASON = 300  # characters of what an encoder says, in a note


@dataclass(frozen=True, eq=False)
class Work:
    """Work to be done on every video."""

    predictor: Predictor
    out: Path  # receives a folder a video
    overrides: tuple[str, ...] = ()  # differences from the training, as text
    annotate: bool = True  # write the annotated video

    @property
    def model_columns(self) -> dict[str, str]:
        """Which model answers, and what everyone must know of it: the last columns of every table."""
        model = self.predictor.model
        return {"model": name_text(model.origin.title), "warning": model.warning}


def name_of(file: str, person: int) -> str:
    """Name of a person's file: the main one's is the file's own."""
    path = Path(file)
    return file if person == 1 else f"{path.stem}_{person}{path.suffix}"


def predict_one(source: Source, work: Work) -> Row:
    """Predict one video and write its folder, unless the same prediction exists.

    An earlier answer stays until the new one is there. One to another video of that name is removed if this one cannot
    be read. A folder that is no earlier result, or was changed, is never touched: the row has a note.

    Raises:
        DeviceError: the GPU is full or failed.
        OSError: `work.out` cannot be written to.
    """
    began = time.perf_counter()
    folder = work.out / source.clip_id
    try:
        sha256 = file_sha256(source.path)
    except OSError as error:
        return failed(source, work, f"{source.path}: cannot be read ({error.strerror})")
    key = key_of(work, sha256)
    earlier = _earlier(source, work, key)
    if earlier is not None:
        return earlier
    try:
        refuse_foreign(folder)
        prediction = work.predictor.predict(source.path)
        if prediction.status == UNREADABLE:
            _forget_other(folder, sha256)
            return failed(source, work, prediction.reason)
        return _write(source, work, prediction, key, sha256, began)
    except NotOursError as error:
        return failed(source, work, str(error), REFUSED)
    except NoFaceError as error:
        return failed(source, work, str(error), NO_FACE)
    except DeviceError:
        raise
    except NrdferError as error:  # the video changed meanwhile
        return failed(source, work, str(error))


def key_of(work: Work, sha256: str) -> str:
    """Name of a prediction: everything that it depends on."""
    predictor = work.predictor
    preprocessing = predictor.cropper.preprocessing.to_dict()
    for network in ("retinaface", "enlightengan"):
        if preprocessing[network] is not None:
            del preprocessing[network]["path"]  # a file's path changes nothing
    origin = predictor.model.origin
    return digest_of(
        {
            "schema": SCHEMA,
            "video": sha256,
            "model": work.model_columns,  # the files name it
            "network": [origin.settings_sha256, origin.weights_sha256],
            "preprocessing": preprocessing,
            "windows": asdict(predictor.windows),
            **_asked(predictor),
        }
    )


def _asked(predictor: Predictor) -> dict[str, Any]:
    """What was asked for besides the windows."""
    return {
        "people": predictor.people,
        "answer_of": predictor.answer,
        "search": predictor.cropper.search,
        "temperature": predictor.model.temperature,
    }


def failed(source: Source, work: Work, reason: str, status: str = UNREADABLE) -> Row:
    """The row of a video that could not be processed."""
    return Row(
        name_text(source.path), source.clip_id, status, utf8(reason), None, None, 0, 0, 0.0, 0.0, False,
        utf8(source.note), {**answer_columns(None, work.predictor.emotions), **whole_columns(None)},
    )  # fmt: skip


def _forget_other(folder: Path, sha256: str) -> None:
    """Remove an earlier prediction if it is for a video of other content."""
    try:
        answered = json.loads((folder / PREDICTION).read_text())["video"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return
    if answered != sha256:
        remove_made(folder)


def common(work: Work) -> dict[str, Any]:
    """Facts that are the same for all videos, for JSON."""
    predictor = work.predictor
    return {
        "model": predictor.model.origin.to_dict(),
        "warning": predictor.model.warning,
        "preprocessing": predictor.cropper.preprocessing.to_dict(),
        "overrides": list(work.overrides),
        "windows": asdict(predictor.windows),
        **_asked(predictor),
    }


def as_json(content: Any) -> bytes:
    """JSON for people and programs; without numbers that JSON cannot represent."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode(errors="backslashreplace")  # names of files need not be UTF-8


def _earlier(source: Source, work: Work, key: str) -> Row | None:
    folder = work.out / source.clip_id
    wanted = (PREDICTION, TIMELINE, FRAMES, PEOPLE, STRIP, *([ANNOTATED] if work.annotate else []))
    try:
        if not all((folder / name).is_file() for name in wanted) or not is_as_made(folder, wanted):
            return None
        there = json.loads((folder / PREDICTION).read_text())
        if there["key"] != key:
            return None
        row = {**there["row"], "others": tuple(there["row"]["others"])}
        more = [name_of(name, n) for n in range(2, len(row["others"]) + 1) for name in (TIMELINE, FRAMES, STRIP)]
        if not all((folder / name).is_file() for name in more) or not is_as_made(folder, more):
            return None
        return Row(**{**row, "video": name_text(source.path), "clip_id": source.clip_id, "repeated": True})
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None  # of another version: made again; or it may not be opened, which the next access reports


def _write(source: Source, work: Work, prediction: Prediction, key: str, sha256: str, began: float) -> Row:
    """Write a clip's folder under a temporary name, and rename it."""
    with unfinished(work.out) as place:
        fresh = place / "answer"
        fresh.mkdir()
        model_columns = work.model_columns
        notes: list[str] = []
        for person in prediction.people or [prediction.target]:
            if person is not None:
                notes += _write_person(fresh, source, work, prediction.of(person), person)
        people = [{**row, **model_columns} for row in people_rows(prediction)]
        write_whole(fresh / PEOPLE, as_csv(people, people_columns(work.predictor.emotions)[2:]))
        if work.annotate:
            lines = [text for text in model_columns.values() if text]
            notes.append(
                _decorated(ANNOTATED, lambda: write_annotated(source.path, prediction, fresh / ANNOTATED, lines))
            )
        row = _row(source, work, prediction, [note for note in notes if note], time.perf_counter() - began)
        content = {
            "schema": SCHEMA,
            "key": key,
            "video": {"path": name_text(source.path), "sha256": sha256},
            **common(work),
            **prediction_to_dict(prediction),
            "reason": row.reason,
            "note": row.note,
            "row": asdict(row),
        }
        write_whole(fresh / PREDICTION, as_json(content))
        publish(fresh, work.out / source.clip_id)
    return row


def _write_person(fresh: Path, source: Source, work: Work, prediction: Prediction, person: Person) -> list[str]:
    """Write the tables and the strip of one person; returns notes on what could not be made."""
    columns, number = work.model_columns, person.number
    for name, rows in ((TIMELINE, timeline_rows(prediction)), (FRAMES, frame_rows(prediction))):
        write_whole(fresh / name_of(name, number), as_csv({**row, **columns} for row in rows))
    title, strip = one_line(source.path.name), name_of(STRIP, number)
    if len(prediction.people) > 1:
        title = f"{title}, person {number}"
    return [_decorated(strip, lambda: draw_strip(prediction, title, work.predictor.model.caption, fresh / strip))]


def _decorated(name: str, make: Callable[[], str | None]) -> str:
    """Make a picture or a video of a prediction, whose failure never affects it; returns a note on what is missing."""
    try:
        return make() or ""
    except DeviceError:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        reason = error.strerror or str(error)
    except Exception as error:
        reason = str(error) if isinstance(error, NrdferError) else f"{type(error).__name__}: {error}"
    return f"{name} could not be made: {one_line(reason)[:_MOST_REASON]}"


def _row(source: Source, work: Work, prediction: Prediction, notes: Sequence[str], seconds: float) -> Row:
    answer = prediction.answer
    return Row(
        video=name_text(source.path),
        clip_id=source.clip_id,
        status=prediction.status,
        reason=utf8(prediction.reason),
        emotion=None if answer is None else answer.emotion,
        probability=None if answer is None else answer.probability,
        frames=len(prediction.records),
        frames_with_face=prediction.frames_with_face,
        duration_s=prediction.duration,
        seconds=seconds,
        repeated=False,
        note=utf8("; ".join(filter(None, (source.note, prediction.note, *notes)))),
        answer={**answer_columns(answer, work.predictor.emotions), **whole_columns(answer)},
        person=1 if prediction.people else None,
        people=prediction.people_found,
        others=tuple(person_columns(person, prediction.emotions) for person in prediction.people),
    )
