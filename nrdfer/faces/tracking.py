"""Choosing one person in a clip of many.

The policy:

1.  Detections are linked over time within one camera shot. A face continues a track if its box overlaps the
    track's last box (intersection over union of at least `MIN_IOU`), or else if their sizes differ by less
    than `MAX_SIZE_RATIO` and their centres are within `MAX_SHIFT` face sizes of each other (fast motion
    leaves no overlap). Best pairs are linked first; a face belongs to one track only.
2.  A track survives `MAX_GAP` frames of its shot without detection (a turned head, a hand before the face).
    After that the same place may hold another person, so a new track begins. Frames of other shots between do
    not count: dialogue cuts away and back.
3.  Frames whose five points fit no face (`MAX_RESIDUAL`: the back of a head, a full profile) do not speak for a
    track. One with fewer than `MIN_TRACK` frames that do (of a quarter of the clip, if that is less) is no target:
    false detections are brief.
4.  One track is the target, by one of the `POLICIES`:

    presence (the default): length x size x centrality, that is the sum over the track's frames of sqrt(box area /
    picture area) * centrality, where centrality falls from 1 at the picture's centre to 1/2 in its corners;
    longest: the most frames; largest: the largest mean sqrt(box area); central: the highest mean centrality.

    Of equal tracks the first to begin wins.
5.  The target is taken in every frame that its track has; frames without it have none. There is no fallback to
    another face: a wrong person is worse than a missing frame.

Identity is not recognised: two people who take turns at one place of one shot become one track. Cropping does
not belong here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nrdfer.config.alignment import MAX_RESIDUAL, MIN_TRACK, POLICIES
from nrdfer.faces.alignment import fit_template
from nrdfer.faces.detector import Face
from nrdfer.faces.priors import iou

MIN_IOU = 0.3
MAX_SHIFT = 0.75  # centre distance in units of the larger face's size
MAX_SIZE_RATIO = 1.6
MAX_GAP = 25  # frames: about one second of film


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


def choose_track(
    tracks: Sequence[Track],
    width: int,
    height: int,
    n_frames: int,
    *,
    policy: str = "presence",
    min_track: int = MIN_TRACK,
    max_residual: float = MAX_RESIDUAL,
) -> Track | None:
    """The target person's track, by the policy above; None if there is none long enough.

    Args:
        tracks: of `link`.
        width: frame width in pixels.
        height: frame height in pixels.
        n_frames: frames of the clip.
        policy: one of `POLICIES`.
        min_track: see rule 3.
        max_residual: a face whose points fit worse does not speak for its track.

    Raises:
        ValueError: an unknown policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"target policy {policy!r} is not known; use one of {', '.join(POLICIES)}")
    least = least_length(min_track, n_frames)
    scores = []
    for track in tracks:
        usable = usable_faces(track, max_residual)
        scores.append(_score(usable, width, height, policy) if len(usable) >= least else 0.0)
    return tracks[scores.index(max(scores))] if any(scores) else None  # the first of equals


def usable_faces(track: Track, max_residual: float = MAX_RESIDUAL) -> list[Face]:
    """The faces of a track that count as evidence for it (rule 3)."""
    return [face for face in track.faces.values() if is_usable(face, max_residual)]


def least_length(min_track: int, n_frames: int) -> int:
    """Frames that a target's track must have in a clip of `n_frames`."""
    return min(min_track, max(1, n_frames // 4))


def presence_of(faces: Sequence[Face], width: int, height: int) -> float:
    """How long, large and central faces are in a picture (rule 4)."""
    return _score(faces, width, height, "presence")


def link(detections: Sequence[list[Face]], shots: Sequence[int] | None = None) -> list[Track]:
    """Link detections into tracks, ordered by their first frame (rules 1 and 2).

    Raises:
        ValueError: `shots` does not name a shot for each frame.
    """
    shots = [0] * len(detections) if shots is None else shots
    if len(shots) != len(detections):
        raise ValueError(f"{len(detections)} frames but {len(shots)} shot numbers")
    linker = Linker()
    for faces, shot in zip(detections, shots, strict=True):
        linker.add(faces, shot)
    return linker.tracks


@dataclass(slots=True)
class _Shot:
    """One camera shot, as far as it was seen: its tracks that may go on, and how many frames it has."""

    frames: int = 0
    alive: dict[int, int] = field(default_factory=dict)  # track -> position in the shot of its newest face


class Linker:
    """Links the faces of a video's frames, one frame after the other (rules 1 and 2)."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []  # by their first frame
        self._shots: dict[int, _Shot] = {}
        self._count = 0

    def add(self, faces: Sequence[Face], shot: int = 0) -> list[int]:
        """Link the faces of the next frame; returns the number of each one's track."""
        there = self._shots.setdefault(shot, _Shot())
        position, frame = there.frames, self._count
        there.alive = {t: end for t, end in there.alive.items() if position - end <= MAX_GAP + 1}
        pairs = [
            (strength, t, f)
            for t in there.alive
            for f, face in enumerate(faces)
            if (strength := affinity(self.tracks[t].last, face)) > 0
        ]
        # strongest first; ties fall to the older track and the earlier face, so the result is reproducible
        pairs.sort(key=lambda pair: (-pair[0], pair[1], pair[2]))
        owner: dict[int, int] = {}
        for _, t, f in pairs:
            if f not in owner and t not in owner.values():
                owner[f] = t
        for f, face in enumerate(faces):
            if f not in owner:
                owner[f] = len(self.tracks)
                self.tracks.append(Track())
            self.tracks[owner[f]].add(frame, face)
            there.alive[owner[f]] = position
        there.frames, self._count = position + 1, frame + 1
        return [owner[f] for f in range(len(faces))]


def affinity(before: Face, after: Face) -> float:
    """Score of `after` as a continuation of `before`: 0 none, to 1 by nearness, 1 to 2 by overlap (rule 1)."""
    overlap = float(iou(before.box, after.box[None])[0])
    if overlap >= MIN_IOU:
        return 1 + overlap
    sizes = sorted((_size(before), _size(after)))
    if sizes[0] <= 0 or sizes[1] / sizes[0] > MAX_SIZE_RATIO:
        return 0.0
    shift = float(np.linalg.norm(_centre(before) - _centre(after))) / sizes[1]
    return max(0.0, 1 - shift / MAX_SHIFT)


def _score(faces: Sequence[Face], width: int, height: int, policy: str) -> float:
    """A policy's score of a track's faces; above 0 for any face (rule 4)."""
    half_diagonal = math.hypot(width, height) / 2
    middle = np.array([width, height]) / 2
    sizes = [_size(face) / math.sqrt(width * height) for face in faces]
    central = [1 - 0.5 * min(float(np.linalg.norm(_centre(face) - middle)) / half_diagonal, 1.0) for face in faces]
    if policy == "longest":
        return float(len(faces))
    if policy == "largest":
        return sum(sizes) / len(sizes)
    if policy == "central":
        return sum(central) / len(central)
    return sum(size * centre for size, centre in zip(sizes, central, strict=True))


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
