"""Many videos into one folder: one folder per video, and a table of all. What is done to one is `video_output`'s."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from nrdfer.core.file_locks import lock
from nrdfer.core.output_checks import in_words
from nrdfer.core.own_files import clear_unfinished, write_made
from nrdfer.faces.align_clip import PROCESS_DIED
from nrdfer.predict.places import PEOPLE, SUMMARY, refuse_places
from nrdfer.predict.result import SCHEMA
from nrdfer.predict.rows import Row, columns_of, people_columns
from nrdfer.predict.tables import as_csv
from nrdfer.predict.video_output import Work, as_json, common, failed, predict_one
from nrdfer.runtime.process_pool import completed
from nrdfer.video.discovery import Source, list_sources

_log = logging.getLogger(__name__)


def predict_videos(
    videos: Sequence[Path],
    work: Work,
    *,
    on_row: Callable[[Row], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
    leave_out: Sequence[Path] = (),
) -> list[Row]:
    """Predict videos and write the results.

    Writes, for each video that can be decoded, a folder ``out/<clip id>``, and at the end ``out/predictions.csv`` and
    ``.json``. A bad video never stops the others. A video that was predicted before, with the same network,
    preprocessing and settings, is not predicted again. ``out/people.csv`` has a row for each person of each video.

    Args:
        videos: files, and folders that are searched recursively; `work.out` itself is not searched.
        work: what to do.
        on_row: called with each row as it comes.
        progress: called with (videos done, videos).
        workers: processes; results do not depend on their number.
        leave_out: videos in the folders that are not meant.

    Returns:
        One row a video, in the order of `nrdfer.video.discovery.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
        NotOursError: the tables there were not made by an earlier call, or were changed since.
        StoreError: `work.out` cannot be written to, or is one of the folders that are searched.
        DeviceError: the GPU is full or failed.
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    refuse_places(videos, work.out)
    sources = _sources(videos, work.out, leave_out)
    try:
        work.out.mkdir(parents=True, exist_ok=True)
        with (work.out / ".lock").open("a") as handle:
            waiting = f"another process is predicting into {work.out}; waiting for it to end"
            lock(handle, work.out / ".lock", busy=lambda: _log.warning("%s", waiting))
            clear_unfinished(work.out)  # what a killed process left
            return _all(sources, work, on_row, progress, min(workers, len(sources)))
    except OSError as error:
        raise in_words(work.out, error) from error


def _all(
    sources: Sequence[Source],
    work: Work,
    on_row: Callable[[Row], None] | None,
    progress: Callable[[int, int], None] | None,
    workers: int,
) -> list[Row]:
    rows: dict[str, Row] = {}
    for source, row in _run(sources, work, workers):
        rows[source.clip_id] = row
        if on_row is not None:
            on_row(row)
        if progress is not None:
            progress(len(rows), len(sources))
    ordered = [rows[source.clip_id] for source in sources]
    flat = [{**row.flat(), **work.model_columns} for row in ordered]
    write_made(work.out / f"{SUMMARY}.csv", as_csv(flat, columns_of(work.predictor.emotions)))
    people = [{**each, **work.model_columns} for row in ordered for each in row.people_flat()]
    write_made(work.out / f"{PEOPLE}.csv", as_csv(people, people_columns(work.predictor.emotions)))
    write_made(
        work.out / f"{SUMMARY}.json", as_json({"schema": SCHEMA, **common(work), "videos": flat, "people": people})
    )
    return ordered


def _run(sources: Sequence[Source], work: Work, workers: int) -> Iterator[tuple[Source, Row]]:
    if workers == 1:
        for source in sources:
            yield source, predict_one(source, work)
        return
    yield from completed(
        predict_one, sources, workers=workers, what="prediction", shared=work, on_death=functools.partial(_died, work)
    )


def _died(work: Work, source: Source) -> Row:
    return failed(source, work, f"{source.path}: {PROCESS_DIED}")


def _sources(videos: Sequence[Path], out: Path, leave_out: Sequence[Path]) -> list[Source]:
    """The videos; of those found in folders, without the ones in `out`, which earlier predictions made."""
    named = {video.resolve() for video in map(Path, videos) if not video.is_dir()}
    own, unmeant = out.resolve(), {path.resolve() for path in leave_out}

    def meant(path: Path) -> bool:
        where = path.resolve()
        return where in named or not (where.is_relative_to(own) or where in unmeant)

    # listed again, so that names given here are not taken by files of earlier predictions
    return list_sources([source.path for source in list_sources(videos) if meant(source.path)])
