"""Preprocessing of any videos to aligned face crops on disk, in several processes, with a table of the outcomes.

How a video becomes crops is in `video_crops`; a corpus with labels, and its shards, in the other modules of
`nrdfer.preprocessing`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import MachineError, NotOursError
from nrdfer.core.output_checks import in_words, refuse_unwritable
from nrdfer.core.own_files import clear_unfinished, publish, refuse_foreign, remove_made, unfinished, write_made
from nrdfer.core.plain_text import name_text, utf8
from nrdfer.core.progress import Progress
from nrdfer.faces.align_clip import PROCESS_DIED, ClipPlan, crops
from nrdfer.faces.contact_sheet import SheetCollector
from nrdfer.faces.stats import ClipStats, StatsCollector
from nrdfer.preprocessing.video_crops import CropOptions, Tools, crop_video, work_through
from nrdfer.video.discovery import Source, list_sources

JPEG_QUALITY = 95
REFUSED = "refused"  # status of a video whose crops would replace what this project did not make
__all__ = ["AlignSettings", "ClipSummary", "CropOptions", "Tools", "find_videos", "preprocess_one", "preprocess_videos"]


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """Result of one video; `clip` is the file's name, `clip_id` the name of its crops.

    Names of files are text as `nrdfer.core.plain_text.name_text` makes it.
    """

    clip: str
    frames: int
    frames_with_face: int
    status: str  # see faces.clip.ClipPlan; or REFUSED
    reason: str
    clip_id: str = ""
    source: str = ""
    note: str = ""  # facts that do not exclude the video, such as a name changed because another clip has it
    tracks: int = 0  # people (or their reappearances) that were followed
    stats: ClipStats = field(default_factory=ClipStats)


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos among files and folders (searched recursively); see `nrdfer.video.discovery.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
    """
    return [source.path for source in list_sources(paths)]


def preprocess_videos(
    videos: Sequence[Path],
    options: CropOptions,
    out: Path,
    json_path: Path | None = None,
    progress: Progress | None = None,
) -> list[ClipSummary]:
    """Align many videos; a bad one is excluded with its reason and never stops the others.

    Writes, for each clip: ``out/<clip_id>/<frame:04d>.jpg`` and ``records.json`` (usable clips only), and the
    contact sheet ``out/<clip_id>.png`` (unless unreadable). Each appears whole or not at all.

    Args:
        videos: files, and folders that are searched recursively.
        options: how videos become crops.
        out: folder for crops and contact sheets; made if missing.
        json_path: where to write the summaries as a JSON list.
        progress: called with (clips done, clips).

    Returns:
        One summary for each video, in the order of `nrdfer.video.discovery.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
        WeightsError: a weights file cannot be used.
        NoFaceError: a clip has no target, and the settings' `no_face` is "fail".
        NotOursError: `json_path` is there and was not made by an earlier call.
        StoreError: `out` or `json_path` cannot be written to; what is finished is whole.
    """
    sources = list_sources(videos)
    refuse_unwritable(out, folder=True)
    if json_path is not None:
        refuse_unwritable(json_path, folder=False)
        refuse_foreign(json_path)
    tools = options.load()
    summaries: dict[str, ClipSummary] = {}
    try:
        out.mkdir(parents=True, exist_ok=True)
        clear_unfinished(out)
        # the longest first, so that no worker ends up alone with a long one
        order = sources if options.workers == 1 else sorted(sources, key=lambda source: -_size(source.path))
        workers = min(options.workers, len(sources))
        for source, summary in work_through(_in_worker, order, (tools, out), workers=workers, on_death=_died):
            summaries[source.clip_id] = summary
            if progress is not None:
                progress(len(summaries), len(sources))
        ordered = [summaries[source.clip_id] for source in sources]
        if json_path is not None:
            text = json.dumps([asdict(summary) for summary in ordered], indent=2, ensure_ascii=False)
            try:
                write_made(json_path, (text + "\n").encode())
            except OSError as error:
                raise in_words(json_path, error) from error
    except OSError as error:
        raise in_words(out, error) from error
    return ordered


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a broken link; opening it reports that
        return 0


def _in_worker(source: Source, shared: tuple[Tools, Path]) -> ClipSummary:
    return preprocess_one(source, *shared)


def _died(source: Source) -> ClipSummary:
    return unreadable(source, PROCESS_DIED)


def preprocess_one(source: Source, tools: Tools, out: Path) -> ClipSummary:
    """Align one video and write its crops and its contact sheet into `out`.

    Raises:
        NoFaceError: there is no target, and the settings' `no_face` is "fail".
        DeviceError: the GPU is full or failed.
        OSError: `out` cannot be written to.
    """
    try:
        refuse_foreign(out / source.clip_id)
        refuse_foreign(_sheet(out, source.clip_id))
        keep = functools.partial(_keep, source, tools, out)
        return crop_video(source.path, tools, keep, functools.partial(unreadable, source), final=False)
    except NotOursError as error:
        return unreadable(source, str(error), REFUSED)
    except MachineError as error:
        return unreadable(source, str(error))


def _keep(source: Source, tools: Tools, out: Path, plan: ClipPlan) -> ClipSummary:
    stats = write_crops(out, source.clip_id, plan, tools)
    return ClipSummary(
        clip=name_text(source.path.name),
        frames=len(plan.records),
        frames_with_face=sum(record.has_face for record in plan.records),
        status=plan.status,
        reason=utf8(plan.reason),
        clip_id=source.clip_id,
        source=name_text(source.path),
        note=utf8("; ".join(filter(None, (source.note, plan.note)))),
        tracks=len(plan.tracks),
        stats=stats,
    )


def unreadable(source: Source, reason: str, status: str = "unreadable") -> ClipSummary:
    """The summary of a video that could not be processed."""
    names = name_text(source.path.name), name_text(source.path)
    return ClipSummary(names[0], 0, 0, status, utf8(reason), source.clip_id, names[1], note=utf8(source.note))


def write_crops(out: Path, clip_id: str, plan: ClipPlan, tools: Tools) -> ClipStats:
    """Write a clip's crops and contact sheet; those of an earlier run are replaced, and nothing else.

    Raises:
        NotOursError: something else has one of the names.
        OSError: `out` cannot be written to.
    """
    folder, sheet_path = out / clip_id, _sheet(out, clip_id)
    if not plan.usable:
        remove_made(folder)
    if plan.status == "unreadable":
        remove_made(sheet_path)
        return ClipStats()
    sheet = SheetCollector(plan.records)
    collector = StatsCollector(plan.records, plan.shots)

    def passing() -> Iterator[NDArray[np.uint8]]:
        for crop in crops(plan, tools.settings.size):
            collector.add(crop)
            yield crop

    finished = passing() if tools.enhancer is None else tools.enhancer.stream(passing())
    with unfinished(out) as place:
        fresh = place / "crops"
        fresh.mkdir()
        for record, crop in zip(plan.records, sheet.passing(finished), strict=True):
            if plan.usable:
                (fresh / f"{record.index:04d}.jpg").write_bytes(_encoded(".jpg", crop))
        (place / "sheet.png").write_bytes(_encoded(".png", sheet.sheet(clip_id)))
        publish(place / "sheet.png", sheet_path)
        if plan.usable:
            records = [asdict(record) for record in plan.records]
            (fresh / "records.json").write_text(json.dumps(records), encoding="utf-8")
            publish(fresh, folder)
    return collector.result()


def _sheet(out: Path, clip_id: str) -> Path:
    return out / f"{clip_id}.png"


def _encoded(suffix: str, rgb: NDArray[np.uint8]) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, rgb[..., ::-1], options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode a {rgb.shape} picture as {suffix}")
    return bytes(data)
