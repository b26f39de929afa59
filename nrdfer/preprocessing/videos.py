"""From any videos to aligned face crops on disk: many videos, several processes, a table of what became of each.

What is done to one video is in `nrdfer.faces.align_clip`; a corpus with labels, and its shards, in the other modules of
`nrdfer.preprocessing`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import NotOursError, NrdferError, UnreadableVideoError
from nrdfer.core.output_checks import in_words, refuse_unwritable
from nrdfer.core.own_files import clear_unfinished, publish, refuse_foreign, remove_made, unfinished, write_made
from nrdfer.core.plain_text import name_text, utf8
from nrdfer.enhance.enhancer import Enhancer
from nrdfer.faces.align_clip import PROCESS_DIED, AlignSettings, ClipPlan, crops, plan_clip
from nrdfer.faces.contact_sheet import SheetCollector
from nrdfer.faces.detector import FaceDetector
from nrdfer.faces.load_detector import load_detector
from nrdfer.faces.stats import ClipStats, StatsCollector
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.gpu_errors import raise_if_of_gpu
from nrdfer.runtime.process_pool import completed
from nrdfer.video.discovery import Source, list_sources

JPEG_QUALITY = 95
REFUSED = "refused"  # status of a video whose crops would replace what this project did not make
Progress = Callable[[int, int], None]
__all__ = ["AlignSettings", "ClipSummary", "Tools", "find_videos", "preprocess_one", "preprocess_videos"]


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """What became of one video; `clip` is the file's name, `clip_id` the name of its crops.

    Names of files are text as `nrdfer.core.plain_text.name_text` makes it.
    """

    clip: str
    frames: int
    frames_with_face: int
    status: str  # see faces.clip.ClipPlan; or REFUSED
    reason: str
    clip_id: str = ""
    source: str = ""
    note: str = ""  # facts that set nothing aside, such as a name given to keep two clips apart
    tracks: int = 0  # people (or their reappearances) that were followed
    stats: ClipStats = field(default_factory=ClipStats)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a process needs to work on videos."""

    detector: FaceDetector
    settings: AlignSettings
    enhancer: Enhancer | None = None


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos among files and folders (searched recursively); see `nrdfer.video.discovery.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
    """
    return [source.path for source in list_sources(paths)]


def preprocess_videos(
    videos: Sequence[Path],
    detector: FaceDetector | Path,
    settings: AlignSettings,
    out: Path,
    json_path: Path | None = None,
    progress: Progress | None = None,
    *,
    workers: int = 1,
    convention: str | None = None,
    enhancer: Path | None = None,
    device: str = "cpu",
) -> list[ClipSummary]:
    """Align many videos; a bad one is set aside with its reason and never stops the others.

    Writes, for each clip: ``out/<clip_id>/<frame:04d>.jpg`` and ``records.json`` (usable clips only), and the
    contact sheet ``out/<clip_id>.png`` (unless unreadable). Each appears whole or not at all.

    Args:
        videos: files, and folders that are searched recursively.
        detector: the detector (its own threshold and `max_side` count), or a weights file to load with the
            settings'.
        settings: see `AlignSettings`.
        out: folder for crops and contact sheets; made if missing.
        json_path: where to write the summaries as a JSON list.
        progress: called with (clips done, clips).
        convention: input convention of a weights file that does not tell.
        workers: processes, each with one thread; results do not depend on their number. More than 1
            needs an importable ``__main__`` (a script guards its calls with ``if __name__ == "__main__"``).
        enhancer: EnlightenGAN weights, to brighten the crops.
        device: "cpu", "cuda" or "auto"; on a GPU one worker is enough.

    Returns:
        One summary for each video, in the order of `nrdfer.video.discovery.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
        WeightsError: a weights file cannot be used.
        NoFaceError: a clip has no target, and `settings.no_face` is "fail".
        NotOursError: `json_path` is there and was not made by an earlier call.
        StoreError: `out` or `json_path` cannot be written to; what is finished is whole.
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    sources = list_sources(videos)
    refuse_unwritable(out, folder=True)
    if json_path is not None:
        refuse_unwritable(json_path, folder=False)
        refuse_foreign(json_path)
    if not isinstance(detector, FaceDetector):
        detector = load_detector(
            detector,
            convention=convention,
            threshold=settings.threshold,
            max_side=settings.max_side,
            device=str(pick_device(device)),
        )
    tools = Tools(detector, settings, None if enhancer is None else Enhancer.load(enhancer, pick_device(device)))
    try:
        return _all(sources, tools, out, json_path, progress, min(workers, len(sources)))
    except OSError as error:
        raise in_words(out, error) from error


def _all(
    sources: Sequence[Source],
    tools: Tools,
    out: Path,
    json_path: Path | None,
    progress: Progress | None,
    workers: int,
) -> list[ClipSummary]:
    out.mkdir(parents=True, exist_ok=True)
    clear_unfinished(out)
    summaries: dict[str, ClipSummary] = {}
    for source, summary in _run(sources, tools, out, workers):
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
    return ordered


def _run(sources: Sequence[Source], tools: Tools, out: Path, workers: int) -> Iterator[tuple[Source, ClipSummary]]:
    if workers == 1:
        for source in sources:
            yield source, preprocess_one(source, tools, out)
        return
    # the longest first, so that no worker ends up alone with a long one
    order = sorted(sources, key=lambda source: -_size(source.path))
    yield from completed(_in_worker, order, workers=workers, what="preprocessing", shared=(tools, out), on_death=_died)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a link to nowhere; whoever opens it says so
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
        plan = _planned(source, tools)
        stats = write_crops(out, source.clip_id, plan, tools)
    except NotOursError as error:
        return unreadable(source, str(error), REFUSED)
    except UnreadableVideoError as error:
        return unreadable(source, str(error))
    except (NrdferError, OSError):
        raise
    except Exception as error:
        return _odd(source, error)
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


def _planned(source: Source, tools: Tools) -> ClipPlan:
    """The plan; what the system says of reading the video is the video's trouble, not that of `out`."""
    try:
        return plan_clip(source.path, tools.detector, tools.settings)
    except OSError as error:
        raise UnreadableVideoError(f"{source.path}: cannot be read ({error.strerror or error})") from error


def _odd(source: Source, error: Exception) -> ClipSummary:
    """One odd file must not cost a night's corpus; its reason names the defect."""
    raise_if_of_gpu(error, source.path)
    return unreadable(source, f"{source.path}: {type(error).__name__}: {error}")


def unreadable(source: Source, reason: str, status: str = "unreadable") -> ClipSummary:
    """The summary of a video that gave nothing."""
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
    collector = StatsCollector(plan.records)

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
