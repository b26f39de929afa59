"""Choosing one person in a clip of many.

The policy, in words:

1.  Detections are linked over time within one camera shot. A face continues a track if its box overlaps the
    track's last box (intersection over union of at least `MIN_IOU`), or else if their sizes differ by less
    than `MAX_SIZE_RATIO` and their centres lie within `MAX_SHIFT` face sizes of each other (fast motion
    leaves no overlap). Best pairs are linked first; a face belongs to one track only.
2.  A track survives `MAX_GAP` frames of its shot without detection (a turned head, a hand before the face).
    After that the same place may hold another person, so a new track begins. Frames of other shots between do
    not count: dialogue cuts away and back.
3.  Each track is scored by its length x the size of its faces x their centrality: the sum over its frames of
    sqrt(box area / picture area) * centrality, where centrality falls from 1 at the picture's centre to 1/2
    in its corners. Frames whose five points fit no face (`MAX_RESIDUAL`) add nothing, so that the back of a
    head cannot outweigh a face; only if no track has a usable frame do all frames count.
4.  The best track is the target in every frame it has; frames without it have none. There is no fallback to
    another face: a wrong person is worse than a missing frame. Of equal tracks the first to begin wins.

Identity is not recognised: two people who take turns at one place of one shot become one track. Cropping does
not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nrdfer.faces.alignment import fit_template
from nrdfer.faces.detector import Face
from nrdfer.faces.priors import iou

MIN_IOU = 0.3
MAX_SHIFT = 0.75  # centre distance in units of the larger face's size
MAX_SIZE_RATIO = 1.6
MAX_GAP = 25  # frames: about one second of film
MAX_RESIDUAL = 10.0  # pixels of the 112 template; real faces stay below 6, profiles and false detections do not


@dataclass(slots=True)
class Track:
    """Detections of (presumably) one person: frame index -> face."""

    faces: dict[int, Face] = field(default_factory=dict)
    last_frame: int = -1

    def add(self, frame: int, face: Face) -> None:
        """Append the face found in a later frame."""
        self.faces[frame] = face
        self.last_frame = frame

    @property
    def last(self) -> Face:
        """The newest face."""
        return self.faces[self.last_frame]


def choose_target(
    detections: Sequence[list[Face]],
    width: int,
    height: int,
    *,
    shots: Sequence[int] | None = None,
    max_residual: float = MAX_RESIDUAL,
) -> list[Face | None]:
    """The target person's face in each frame, by the policy above.

    Args:
        detections: the faces found in each frame, in any order within a frame.
        width: frame width in pixels.
        height: frame height in pixels.
        shots: the number of each frame's camera shot (`nrdfer.video.shots`); None takes the clip for one
            shot.
        max_residual: a face whose points fit worse does not speak for its track.

    Returns:
        One entry for each frame: the target's face, or None where it was not found.
    """
    chosen: list[Face | None] = [None] * len(detections)
    tracks = link(detections, shots)
    if tracks:
        scores = [track_score(track, width, height, max_residual) for track in tracks]
        if not any(scores):
            scores = [track_score(track, width, height, None) for track in tracks]
        best = tracks[scores.index(max(scores))]  # the first of equals
        for frame, face in best.faces.items():
            chosen[frame] = face
    return chosen


def link(detections: Sequence[list[Face]], shots: Sequence[int] | None = None) -> list[Track]:
    """Link detections into tracks, ordered by their first frame (rules 1 and 2).

    Raises:
        ValueError: `shots` does not name a shot for each frame.
    """
    shots = [0] * len(detections) if shots is None else shots
    if len(shots) != len(detections):
        raise ValueError(f"{len(detections)} frames but {len(shots)} shot numbers")
    tracks: list[Track] = []
    for shot in dict.fromkeys(shots):
        tracks += _link_shot(detections, [frame for frame, number in enumerate(shots) if number == shot])
    return sorted(tracks, key=lambda track: next(iter(track.faces)))


def _link_shot(detections: Sequence[list[Face]], frames: Sequence[int]) -> list[Track]:
    tracks: list[Track] = []
    ends: list[int] = []  # for each track, the position in `frames` of its newest face
    for position, frame in enumerate(frames):
        faces = detections[frame]
        alive = [t for t in range(len(tracks)) if position - ends[t] <= MAX_GAP + 1]
        pairs = [
            (strength, t, f)
            for t in alive
            for f, face in enumerate(faces)
            if (strength := affinity(tracks[t].last, face)) > 0
        ]
        # strongest first; ties fall to the older track and the earlier face, so the result is reproducible
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        owner: dict[int, int] = {}
        for _, t, f in pairs:
            if f not in owner and t not in owner.values():
                owner[f] = t
        for f, face in enumerate(faces):
            if f not in owner:
                owner[f] = len(tracks)
                tracks.append(Track())
                ends.append(position)
            tracks[owner[f]].add(frame, face)
            ends[owner[f]] = position
    return tracks


def affinity(before: Face, after: Face) -> float:
    """How well `after` continues `before`: 0 not at all, to 1 by nearness, 1 to 2 by overlap (rule 1)."""
    overlap = float(iou(before.box, after.box[None])[0])
    if overlap >= MIN_IOU:
        return 1 + overlap
    sizes = sorted((_size(before), _size(after)))
    if sizes[0] <= 0 or sizes[1] / sizes[0] > MAX_SIZE_RATIO:
        return 0.0
    shift = float(np.linalg.norm(_centre(before) - _centre(after))) / sizes[1]
    return max(0.0, 1 - shift / MAX_SHIFT)


def track_score(track: Track, width: int, height: int, max_residual: float | None) -> float:
    """Length x size x centrality over the usable frames, or over all with `max_residual` None (rule 3)."""
    half_diagonal = math.hypot(width, height) / 2
    middle = np.array([width, height]) / 2
    total = 0.0
    for face in track.faces.values():
        if max_residual is not None and not is_usable(face, max_residual):
            continue
        off_centre = float(np.linalg.norm(_centre(face) - middle)) / half_diagonal
        total += _size(face) / math.sqrt(width * height) * (1 - 0.5 * min(off_centre, 1.0))
    return total


def is_usable(face: Face, max_residual: float = MAX_RESIDUAL) -> bool:
    """Whether a face's five points are finite, do not coincide, and fit the template."""
    try:
        return fit_template(face.points)[1] <= max_residual
    except ValueError:
        return False


def _size(face: Face) -> float:
    x1, y1, x2, y2 = (float(v) for v in face.box)
    return math.sqrt(max(x2 - x1, 0.0) * max(y2 - y1, 0.0))


def _centre(face: Face) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    box = face.box.astype(np.float64)
    return (box[:2] + box[2:]) / 2
