"""One video to the aligned crops of one person: decode, detect, choose the target, align.

A frame never disappears: a clip has as many crops as its video has frames. Where the target is missing, or its five
points fit no face (`AlignSettings.max_residual`), the frame is cropped with the nearest good frame's matrix and marked
``has_face=False``. A video is read twice, once to make a `ClipPlan` and once to crop by it, so that no more than a few
frames are in memory at a time, however long it is. Many videos, files and brightening do not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import MachineError, NoFaceError, UnreadableVideoError
from nrdfer.core.records import FrameRecord
from nrdfer.faces.alignment import fit_template, middle_square, nearest_matrices, warp
from nrdfer.faces.detector import Detector, Face
from nrdfer.faces.sparse_detection import find_faces
from nrdfer.faces.tracking import Track, choose_track, least_length, link, usable_faces
from nrdfer.faces.turned import Samples, note_of_turn
from nrdfer.video.decode import iter_frames
from nrdfer.video.prefetch import prefetched
from nrdfer.video.probe import probe
from nrdfer.video.shots import ShotLabeller

#: The reason of a video over which processes died; the caller that runs the processes excludes it with this.
PROCESS_DIED = (
    "the process working on it died (out of memory, or a crash in a decoder); try it with more memory, or convert the "
    "video"
)
Frame = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Change = Callable[[Iterator[Frame]], Iterator[Frame]]


@dataclass(frozen=True, eq=False, slots=True)
class ClipPlan:
    """Crop plan of one video.

    Attributes:
        video: the file.
        records: T records, one for each frame.
        matrices: T matrices (2, 3) from source pixels to crop pixels. Without a target, those of the pictures' middle
            squares.
        status: "ok", "no_face" (no target in any frame), "centred" (the same, kept by the settings) or "unreadable"
            (T is 0).
        reason: why the status is not "ok"; empty if it is.
        tracks: length in frames of every track found.
        note: what the decoder had to leave out or to change, if anything, and whether the footage seems to be turned;
            facts that do not exclude the video.
        shots: the camera shot of each frame.
    """

    video: Path
    records: tuple[FrameRecord, ...]
    matrices: tuple[Matrix, ...]
    status: str
    reason: str
    tracks: tuple[int, ...] = ()
    note: str = ""
    shots: tuple[int, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether the clip can be used in a corpus."""
        return self.status in ("ok", "centred")


def plan_clip(video: Path, detector: Detector, settings: AlignSettings) -> ClipPlan:
    """Find the target person of one video; a failure of the video ends in the status, never in an exception.

    The detector's own threshold and `max_side` count; those of `settings` are for the caller that loads the detector.

    Raises:
        NoFaceError: there is no target, and `settings.no_face` is "fail".
        MachineError: ffmpeg was ended from elsewhere; nothing is known about the video.
    """
    notes: list[str] = []
    try:
        samples = Samples(detector.max_side)
        detections, shots, width, height = _detect(video, detector, settings.every, notes, samples)
    except MachineError:
        raise
    except UnreadableVideoError as error:
        return ClipPlan(video, (), (), "unreadable", str(error))
    tracks = link(detections, shots)
    lengths = tuple(len(track.faces) for track in tracks)
    track = choose_track(
        tracks,
        width,
        height,
        len(detections),
        policy=settings.target,
        min_track=settings.min_track,
        max_residual=settings.max_residual,
    )
    targets = [None if track is None else track.faces.get(index) for index in range(len(detections))]
    fits = [fit_face(index, face, settings) for index, face in enumerate(targets)]
    records = tuple(record for record, _ in fits)
    matrices = nearest_matrices([matrix for _, matrix in fits])
    notes += filter(None, [note_of_turn(records, samples, detector)])
    if matrices is not None:
        return ClipPlan(video, records, tuple(matrices), "ok", "", lengths, "; ".join(notes), tuple(shots))
    reason = why_no_face(tracks, len(records), detector, settings)
    if settings.no_face == "fail":
        raise NoFaceError(f"{video}: {reason}; the setting no_face is 'fail'")
    status = "centred" if settings.no_face == "centre" else "no_face"
    middle = middle_square(width, height, settings.size)
    return ClipPlan(video, records, (middle,) * len(records), status, reason, lengths, "; ".join(notes))


def plan_from_records(video: Path, records: Sequence[FrameRecord], settings: AlignSettings) -> ClipPlan:
    """The plan by which a clip with these records was cropped.

    Raises:
        UnreadableVideoError: the video cannot be opened.
    """
    matrices = nearest_matrices(
        [
            fit_template(record.points, settings.size, settings.margin)[0]
            if record.has_face and record.points is not None
            else None
            for record in records
        ]
    )
    if matrices is None:
        info = probe(video)
        matrices = [middle_square(info.width, info.height, settings.size)] * len(records)
    return ClipPlan(video, tuple(records), tuple(matrices), "ok", "")


def crops(plan: ClipPlan, size: int, change: Change | None = None) -> Iterator[Frame]:
    """The crops (size, size, 3) uint8 RGB of a planned clip, one for each frame, in order.

    Args:
        plan: of `plan_clip`.
        size: the settings'.
        change: what to do to the frames before they are cropped.

    Raises:
        UnreadableVideoError: the video has another number of frames than when it was planned.
    """
    if not plan.records:
        return
    count = 0
    frames = prefetched(iter_frames(plan.video, notes=[]))  # reported at the first reading
    for frame in frames if change is None else change(frames):
        count += 1
        if count <= len(plan.matrices):
            yield warp(frame, plan.matrices[count - 1], size)
    if count != len(plan.matrices):
        raise UnreadableVideoError(
            f"{plan.video}: {len(plan.matrices)} frames at the first reading, {count} at the second; do not write to it"
        )


def _detect(
    video: Path, detector: Detector, every: int, notes: list[str], samples: Samples
) -> tuple[list[list[Face]], list[int], int, int]:
    """The faces and the camera shot of each frame, and the frames' width and height."""
    shots: list[int] = []
    sizes: list[tuple[int, int]] = []
    labeller = ShotLabeller()

    def labelled() -> Iterator[tuple[Frame, int]]:
        for frame in prefetched(iter_frames(video, notes=notes)):
            if not sizes:
                sizes.append((frame.shape[1], frame.shape[0]))
            samples.add(frame)
            shots.append(labeller.label(frame))
            yield frame, shots[-1]

    detections = list(find_faces(labelled(), detector, every))
    return detections, shots, *sizes[0]


def fit_face(index: int, face: Face | None, settings: AlignSettings) -> tuple[FrameRecord, Matrix | None]:
    """The record of one frame, and its matrix if the face is usable."""
    if face is None:
        return FrameRecord(index, has_face=False), None
    matrix: Matrix | None
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


def why_no_face(tracks: Sequence[Track], n_frames: int, detector: Detector, settings: AlignSettings) -> str:
    """Why a video with these tracks has no target."""
    if not tracks:
        return (
            f"no face was detected in any of {n_frames} frames (score above {detector.threshold:g}, "
            f"longest side {detector.max_side} pixels)"
        )
    longest = max(tracks, key=lambda track: len(track.faces))
    least = least_length(settings.min_track, n_frames)
    if len(longest.faces) >= least:
        usable = max(len(usable_faces(track, settings.max_residual)) for track in tracks)
        return (
            f"a face was followed through {len(longest.faces)} of {n_frames} frames, but in no more than {usable} did "
            f"its five points fit a face (residual above {settings.max_residual:g} template pixels: a profile or a "
            "false detection)"
        )
    return (
        f"no face was followed for long enough: the longest of {len(tracks)} tracks has {len(longest.faces)} of "
        f"{n_frames} frames, fewer than {least} (a false detection, or a passer-by; see min_track)"
    )
