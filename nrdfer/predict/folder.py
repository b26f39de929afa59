"""Many videos into one folder: what each gave, as files that appear whole or not at all, and a table of all.

A video that was answered before, with the same network, preprocessing and settings, is not asked again. What is in the
files belongs to `result`, `tables`, `strip` and `annotate`.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nrdfer.errors import NoFaceError, NrdferError, StoreError
from nrdfer.faces.clip import PROCESS_DIED
from nrdfer.files import write_whole
from nrdfer.pool import completed
from nrdfer.predict.annotate import write_annotated
from nrdfer.predict.predictor import Predictor
from nrdfer.predict.result import NO_FACE, OK, SCHEMA, UNREADABLE, Prediction, prediction_to_dict
from nrdfer.predict.strip import draw_strip
from nrdfer.predict.tables import answer_columns, as_csv, frame_rows, timeline_rows
from nrdfer.store import digest_of, file_sha256
from nrdfer.video.sources import Source, list_sources

PREDICTION, TIMELINE, FRAMES, STRIP, ANNOTATED = (
    "prediction.json",
    "timeline.csv",
    "frames.csv",
    "strip.png",
    "annotated.mp4",
)
SUMMARY = "predictions"  # .csv and .json, of all videos
_COLUMNS = tuple(answer_columns(None))


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


@dataclass(frozen=True, eq=False)
class Work:
    """What is done to every video."""

    predictor: Predictor
    out: Path
    overrides: tuple[str, ...] = ()  # what differs from the training, in words
    annotate: bool = True


def predict_videos(
    videos: Sequence[Path],
    work: Work,
    *,
    told: Callable[[Row], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> list[Row]:
    """Answer for videos, and write what was found.

    Writes, for each clip that can be decoded, a folder ``out/<clip id>``, and at the end ``out/predictions.csv`` and
    ``.json``. A bad video never stops the others.

    Args:
        videos: files, and folders that are searched recursively.
        work: what to do.
        told: called with each row as it comes.
        progress: called with (videos done, videos).
        workers: processes; results do not depend on their number.

    Returns:
        One row a video, in the order of `nrdfer.video.sources.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
        StoreError: `out` cannot be written to, or holds something else under a clip's name.
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    sources = _sources(videos, work.out)
    _prepare(work.out, sources)
    rows: dict[str, Row] = {}
    try:
        for source, row in _run(sources, work, min(workers, len(sources))):
            rows[source.clip_id] = row
            if told is not None:
                told(row)
            if progress is not None:
                progress(len(rows), len(sources))
        ordered = [rows[source.clip_id] for source in sources]
        _write_summary(work, ordered)
    except OSError as error:
        raise StoreError(f"{work.out} cannot be written to ({error}); what is finished there is whole") from error
    return ordered


def _sources(videos: Sequence[Path], out: Path) -> list[Source]:
    """The videos; of those found in folders not the ones that lie in `out`, which earlier predictions made."""
    named = {video.resolve() for video in map(Path, videos) if not video.is_dir()}
    found = [source.path for source in list_sources(videos)]
    own = out.resolve()
    kept = [path for path in found if path.resolve() in named or not path.resolve().is_relative_to(own)]
    return list_sources(kept)


def _run(sources: Sequence[Source], work: Work, workers: int) -> Iterator[tuple[Source, Row]]:
    if workers == 1:
        for source in sources:
            yield source, predict_one(source, work)
        return
    yield from completed(predict_one, sources, workers=workers, what="prediction", shared=work, on_death=_died)


def _prepare(out: Path, sources: Sequence[Source]) -> None:
    """Refuse, before any work, what would fail or destroy something later."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=out):
            pass
    except OSError as error:
        raise StoreError(f"{out} cannot be written to ({error.strerror}); choose another folder") from error
    for source in sources:
        folder = out / source.clip_id
        foreign = folder.exists() and not (folder.is_dir() and (folder / PREDICTION).is_file())
        if foreign and not (folder.is_dir() and not any(folder.iterdir())):
            raise StoreError(
                f"{folder} is there and is no earlier prediction; it would be replaced by that of {source.path}. "
                "Choose another folder to write to"
            )


def predict_one(source: Source, work: Work) -> Row:
    """Answer for one video, and write its folder unless the same answer is there."""
    began = time.perf_counter()
    try:
        sha256 = file_sha256(source.path)
    except OSError as error:
        _forget(work.out / source.clip_id)
        return _failed(source, f"{source.path}: cannot be read ({error.strerror})")
    key = _key(work, sha256)
    earlier = _earlier(source, work, key)
    if earlier is not None:
        return earlier
    _forget(work.out / source.clip_id)  # an answer to something else
    try:
        prediction = work.predictor.predict(source.path)
        if prediction.status == UNREADABLE:
            return _failed(source, prediction.reason)
        row = _row(source, prediction, time.perf_counter() - began)
        _write(source, work, prediction, {"key": key, "sha256": sha256, "row": row, "began": began})
    except NoFaceError as error:
        return _failed(source, str(error), NO_FACE)
    except NrdferError as error:  # encoding; or the video changed meanwhile
        return _failed(source, str(error))
    return dataclasses.replace(row, seconds=time.perf_counter() - began)


def _key(work: Work, sha256: str) -> str:
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


def _earlier(source: Source, work: Work, key: str) -> Row | None:
    folder = work.out / source.clip_id
    wanted = [TIMELINE, FRAMES, STRIP, *([ANNOTATED] if work.annotate else [])]
    if not all((folder / name).is_file() for name in (PREDICTION, *wanted)):
        return None
    try:
        there = json.loads((folder / PREDICTION).read_text())
        if there["key"] != key:
            return None
        return Row(**{**there["row"], "video": str(source.path), "clip_id": source.clip_id, "repeated": True})
    except (OSError, ValueError, KeyError, TypeError):
        return None  # of another version, or damaged: made again


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


def _failed(source: Source, reason: str, status: str = UNREADABLE) -> Row:
    return Row(
        str(source.path), source.clip_id, status, reason, None, None, 0, 0, 0.0, 0.0, False, source.note,
        answer_columns(None),
    )  # fmt: skip


def _died(source: Source) -> Row:
    return _failed(source, f"{source.path}: {PROCESS_DIED}")


def _write(source: Source, work: Work, prediction: Prediction, about: dict[str, Any]) -> None:
    """Write a clip's folder beside its place, and rename it there."""
    target = work.out / source.clip_id
    with tempfile.TemporaryDirectory(prefix=f".{source.clip_id}.", dir=work.out) as temporary:
        fresh = Path(temporary) / source.clip_id
        fresh.mkdir()
        write_whole(fresh / TIMELINE, as_csv(timeline_rows(prediction)))
        write_whole(fresh / FRAMES, as_csv(frame_rows(prediction)))
        draw_strip(prediction, source.path.name, work.predictor.model.origin.title, fresh / STRIP)
        if work.annotate:
            write_annotated(source.path, prediction, fresh / ANNOTATED)
        row = dataclasses.replace(about["row"], seconds=time.perf_counter() - about["began"])
        content = {
            "schema": SCHEMA,
            "key": about["key"],
            "video": {"path": str(source.path), "sha256": about["sha256"]},
            **_common(work),
            **prediction_to_dict(prediction),
            "row": asdict(row),
        }
        write_whole(fresh / PREDICTION, _json(content))
        fresh.rename(target)


def _forget(folder: Path) -> None:
    """Delete an earlier answer; of a folder that holds anything else nothing is deleted."""
    if (folder / PREDICTION).is_file():
        shutil.rmtree(folder)


def _common(work: Work) -> dict[str, Any]:
    """What is the same for all videos."""
    predictor = work.predictor
    return {
        "model": predictor.model.origin.to_dict(),
        "preprocessing": predictor.cropper.preprocessing.to_dict(),
        "overrides": list(work.overrides),
        "windows": asdict(predictor.windows),
    }


def _write_summary(work: Work, rows: Sequence[Row]) -> None:
    columns = [*(f.name for f in dataclasses.fields(Row) if f.name != "answer"), *_COLUMNS]
    flat = [row.flat() for row in rows]
    write_whole(work.out / f"{SUMMARY}.csv", as_csv(flat, dict.fromkeys(columns)))
    write_whole(work.out / f"{SUMMARY}.json", _json({"schema": SCHEMA, **_common(work), "videos": flat}))


def _json(content: Any) -> bytes:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode(errors="backslashreplace")
