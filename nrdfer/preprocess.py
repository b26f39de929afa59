"""From videos to aligned face clips: decode, detect, choose the target, align; and the same over many videos.

A frame never disappears: a clip has as many crops as its video has frames. Where the target is missing, or
its five points fit no face (`AlignSettings.max_residual`), the frame is cropped with the nearest good frame's
matrix and marked ``has_face=False``. Videos are read twice, once to detect and once to crop, so that no more
than a few full frames are in memory at a time. Brightening, labels and shards do not belong here.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.errors import UnreadableVideoError
from nrdfer.faces.alignment import fit_template, warp
from nrdfer.faces.contact_sheet import contact_sheet
from nrdfer.faces.detector import Face, FaceDetector, load_detector
from nrdfer.faces.tracking import MAX_RESIDUAL, choose_target
from nrdfer.files import write_whole
from nrdfer.records import FrameRecord
from nrdfer.video.decode import iter_frames
from nrdfer.video.shots import ShotLabeller
from nrdfer.video.sources import Source, list_sources

DETECTOR_BATCH = 2  # frames in one forward pass; more do not pay on a CPU
JPEG_QUALITY = 95

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class AlignSettings:
    """Detection and alignment of one corpus."""

    size: int = 112  # side of a crop, pixels
    margin: float = 0.15  # how far the template shrinks toward the centre; 0 is ArcFace's tight crop
    threshold: float = 0.7  # least detector score
    max_side: int = 640  # longest side the detector sees, pixels
    max_residual: float = MAX_RESIDUAL  # pixels of the 112 template; points that fit worse are no usable face

    def __post_init__(self) -> None:
        if self.size < 8 or not -0.5 <= self.margin <= 0.9:
            raise ValueError(f"crops need size >= 8 and margin in -0.5..0.9, not {self.size} and {self.margin}")
        if self.max_residual <= 0:
            raise ValueError(f"max_residual {self.max_residual} would refuse every face")


@dataclass(frozen=True, eq=False, slots=True)
class AlignedClip:
    """One video's crops.

    Attributes:
        frames: (T, S, S, 3) uint8 RGB. With status "no_face" these are the pictures' middle squares, for
            people to look at; with "unreadable", T is 0.
        records: T records, one for each frame.
        status: "ok", "no_face" (no usable face in any frame) or "unreadable".
        reason: why the status is not "ok"; empty if it is.
    """

    frames: NDArray[np.uint8]
    records: tuple[FrameRecord, ...]
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClipSummary:
    """What became of one video; `clip` is the file's name, `clip_id` the name of its crops."""

    clip: str
    frames: int
    frames_with_face: int
    status: str
    reason: str
    clip_id: str = ""
    source: str = ""
    note: str = ""  # facts that set nothing aside, such as a name given to keep two clips apart


def align_clip(video: Path, detector: FaceDetector, settings: AlignSettings) -> AlignedClip:
    """Align the target person of one video; trouble with the video ends in the status, never in an exception.

    The detector's own threshold and `max_side` count; those of `settings` are for whoever loads the detector.
    """
    try:
        return _align(video, detector, settings)
    except UnreadableVideoError as error:
        empty = np.empty((0, settings.size, settings.size, 3), np.uint8)
        return AlignedClip(empty, (), "unreadable", str(error))


def _align(video: Path, detector: FaceDetector, settings: AlignSettings) -> AlignedClip:
    detections, shots, width, height = _detect(video, detector)
    targets = choose_target(detections, width, height, shots=shots, max_residual=settings.max_residual)
    fits = [_fit(index, face, settings) for index, face in enumerate(targets)]
    records = tuple(record for record, _ in fits)
    matrices = nearest_matrices([matrix for _, matrix in fits])
    status, reason = "ok", ""
    if matrices is None:
        status, reason = "no_face", _why_no_face(targets, detector, settings)
        matrices = [middle_square(width, height, settings.size)] * len(records)
    return AlignedClip(_crop(video, matrices, settings.size), records, status, reason)


def _detect(video: Path, detector: FaceDetector) -> tuple[list[list[Face]], list[int], int, int]:
    """The faces and the camera shot of each frame, and the frames' width and height."""
    detections: list[list[Face]] = []
    shots: list[int] = []
    batch: list[NDArray[np.uint8]] = []
    labeller = ShotLabeller()
    width = height = 0
    for frame in iter_frames(video):
        height, width = frame.shape[:2]
        shots.append(labeller.label(frame))
        batch.append(frame)
        if len(batch) == DETECTOR_BATCH:
            detections += detector.detect_batch(batch)
            batch = []
    detections += detector.detect_batch(batch)
    return detections, shots, width, height


def _fit(index: int, face: Face | None, settings: AlignSettings) -> tuple[FrameRecord, NDArray[np.float64] | None]:
    """The record of one frame, and its matrix if the face is usable."""
    if face is None:
        return FrameRecord(index, has_face=False), None
    matrix: NDArray[np.float64] | None
    try:
        matrix, residual = fit_template(face.points, settings.size, settings.margin)
    except ValueError:  # points that coincide or are not finite: the face is refused, not the clip
        matrix, residual = None, None
    if residual is not None and residual > settings.max_residual:
        matrix = None
    x1, y1, x2, y2 = (float(v) for v in face.box)
    finite = bool(np.isfinite(face.points).all())  # records become JSON, which has no NaN
    record = FrameRecord(
        index=index,
        has_face=matrix is not None,
        score=face.score,
        box=(x1, y1, x2, y2),
        points=tuple((float(x), float(y)) for x, y in face.points) if finite else None,
        residual=residual,
    )
    return record, matrix


def nearest_matrices(
    matrices: Sequence[NDArray[np.float64] | None],
) -> list[NDArray[np.float64]] | None:
    """Fill gaps with the nearest frame's matrix (the earlier of two); None if no frame has one."""
    known = [(index, matrix) for index, matrix in enumerate(matrices) if matrix is not None]
    if not known:
        return None
    filled: list[NDArray[np.float64]] = []
    at = 0
    for index in range(len(matrices)):
        while at + 1 < len(known) and abs(known[at + 1][0] - index) < abs(known[at][0] - index):
            at += 1
        filled.append(known[at][1])
    return filled


def middle_square(width: int, height: int, size: int) -> NDArray[np.float64]:
    """The matrix (2, 3) that shows a picture's largest centred square in `size` x `size` pixels."""
    scale = size / min(width, height)
    # pixel centres: the square's middle ((width - 1) / 2, ...) goes to the crop's
    shift = (size - 1) / 2 - scale * (np.array([width, height]) - 1) / 2
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def _crop(video: Path, matrices: Sequence[NDArray[np.float64]], size: int) -> NDArray[np.uint8]:
    crops = np.empty((len(matrices), size, size, 3), np.uint8)
    count = 0
    for index, frame in enumerate(iter_frames(video)):
        count = index + 1
        if count <= len(matrices):
            crops[index] = warp(frame, matrices[index], size)
    if count != len(matrices):
        raise UnreadableVideoError(
            f"{video}: {len(matrices)} frames at the first reading, {count} at the second; do not write to it"
        )
    return crops


def _why_no_face(targets: Sequence[Face | None], detector: FaceDetector, settings: AlignSettings) -> str:
    found = sum(face is not None for face in targets)
    if found:
        return (
            f"a face was detected in {found} of {len(targets)} frames, but its five points never fit a face "
            f"(residual above {settings.max_residual:g} template pixels: a profile or a false detection)"
        )
    return (
        f"no face was detected in any of {len(targets)} frames (score above {detector.threshold:g}, "
        f"longest side {detector.max_side} pixels)"
    )


def find_videos(paths: Sequence[Path]) -> list[Path]:
    """Videos among files and folders (searched recursively); see `nrdfer.video.sources.list_sources`.

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
) -> list[ClipSummary]:
    """Align many videos; a bad one is set aside with its reason and never stops the others.

    Writes, for each clip: ``out/<clip_id>/<frame:04d>.jpg`` and ``records.json`` (status "ok" only), and the
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
        workers: processes, each with one torch thread; results do not depend on their number. More than 1
            needs an importable ``__main__`` (a script guards its calls with ``if __name__ == "__main__"``).

    Returns:
        One summary for each video, in the order of `nrdfer.video.sources.list_sources`.

    Raises:
        CorpusError: a path does not exist, or there is no video at all.
        WeightsError: the weights file cannot be used.
        ValueError: fewer than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    sources = list_sources(videos)
    if not isinstance(detector, FaceDetector):
        detector = load_detector(
            detector, convention=convention, threshold=settings.threshold, max_side=settings.max_side
        )
    out.mkdir(parents=True, exist_ok=True)
    summaries: dict[int, ClipSummary] = {}
    for index, summary in _run(sources, detector, settings, out, min(workers, len(sources))):
        summaries[index] = summary
        if progress is not None:
            progress(len(summaries), len(sources))
    ordered = [summaries[index] for index in range(len(sources))]
    if json_path is not None:
        text = json.dumps([asdict(summary) for summary in ordered], indent=2, ensure_ascii=False)
        write_whole(json_path, (text + "\n").encode())
    return ordered


def _run(
    sources: Sequence[Source], detector: FaceDetector, settings: AlignSettings, out: Path, workers: int
) -> Iterator[tuple[int, ClipSummary]]:
    if workers == 1:
        for index, source in enumerate(sources):
            yield index, preprocess_one(source, detector, settings, out)
        return
    from nrdfer.preprocess_workers import run_in_processes  # imports this module in its turn

    yield from run_in_processes(sources, detector, settings, out, workers)


def preprocess_one(source: Source, detector: FaceDetector, settings: AlignSettings, out: Path) -> ClipSummary:
    """Align one video and write its crops and its contact sheet into `out`."""
    try:
        clip = align_clip(source.path, detector, settings)
        write_crops(out, source.clip_id, clip)
    except (RuntimeError, MemoryError, cv2.error) as error:
        # one odd file must not cost a night's corpus; its reason names the defect
        return summary_of(source, (), "unreadable", f"{source.path}: {type(error).__name__}: {error}")
    return summary_of(source, clip.records, clip.status, clip.reason)


def summary_of(source: Source, records: Sequence[FrameRecord], status: str, reason: str) -> ClipSummary:
    """What became of a video, in the words of the summary."""
    return ClipSummary(
        clip=source.path.name,
        frames=len(records),
        frames_with_face=sum(record.has_face for record in records),
        status=status,
        reason=reason,
        clip_id=source.clip_id,
        source=str(source.path),
        note=source.note,
    )


def write_crops(out: Path, clip_id: str, clip: AlignedClip) -> None:
    """Write a clip's crops and contact sheet; what an earlier run left under this name is replaced."""
    folder = out / clip_id
    sheet_path = out / f"{clip_id}.png"
    if clip.status != "ok" and folder.is_dir():
        shutil.rmtree(folder)
    if clip.status == "unreadable":
        sheet_path.unlink(missing_ok=True)
        return
    sheet = contact_sheet(clip.frames, clip.records, title=clip_id)
    write_whole(sheet_path, _encoded(".png", sheet))
    if clip.status != "ok":
        return
    with tempfile.TemporaryDirectory(prefix=f".{clip_id}.", dir=out) as temporary:
        fresh = Path(temporary) / clip_id
        fresh.mkdir()
        for crop, record in zip(clip.frames, clip.records, strict=True):
            (fresh / f"{record.index:04d}.jpg").write_bytes(_encoded(".jpg", crop))
        records = [asdict(record) for record in clip.records]
        (fresh / "records.json").write_text(json.dumps(records), encoding="utf-8")
        if folder.is_dir():
            folder.rename(Path(temporary) / "replaced")
        fresh.rename(folder)


def _encoded(suffix: str, rgb: NDArray[np.uint8]) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if suffix == ".jpg" else []
    done, data = cv2.imencode(suffix, rgb[..., ::-1], options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode a {rgb.shape} picture as {suffix}")
    return bytes(data)
