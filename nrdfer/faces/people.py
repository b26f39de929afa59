"""Everyone in one video: detection, tracks, people across shots, and how each is cropped in each frame.

A video is read once for this; turned footage is noticed from the faces' points, and read a second time upright. For one
target of a corpus' clip see `align_clip`, whose rules hold here, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nrdfer.config.alignment import AlignSettings
from nrdfer.core.errors import NoFaceError
from nrdfer.core.records import FrameRecord
from nrdfer.faces.align_clip import ClipPlan, Frame, fit_face, why_no_face
from nrdfer.faces.alignment import middle_square, nearest_matrices
from nrdfer.faces.appearance import Cue, Look
from nrdfer.faces.detector import Detector, Face
from nrdfer.faces.identity import Identity, identities
from nrdfer.faces.kept_looks import KeptLooks
from nrdfer.faces.sparse_detection import find_faces
from nrdfer.faces.tracking import Linker, Track, choose_track, least_length, presence_of, usable_faces
from nrdfer.faces.turned import WORDS, Samples, turn_of
from nrdfer.video.decode import iter_frames
from nrdfer.video.messages import Complaints
from nrdfer.video.prefetch import prefetched
from nrdfer.video.shots import ShotLabeller

LOOK_EVERY = 5  # frames between two looks at a face
MOST_PEOPLE = 100  # who are planned unless more are asked for: of a crowd the most important ones
#: Labels of a frame for one person: it shows the person; no face; faces of others only; or a face that may be the
#: person's, or is but fits no template (a profile, a hand before it).
PERSON, NOBODY, OTHER, UNSURE = "person", "no_face", "another_person", "not_sure"
LABELS = (PERSON, NOBODY, OTHER, UNSURE)


@dataclass(frozen=True, eq=False)
class PersonPlan:
    """One person: how each frame is cropped, and what it shows of the person."""

    plan: ClipPlan
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PeoplePlan:
    """All people of a video.

    Attributes:
        people: the target first, then by presence; empty without anybody.
        found: number of people in the video, also of those that were not asked for.
        nobody: the plan of a video without a target, else None.
        size: width and height of a frame, upright.
        quarters: by which the footage was turned, counter-clockwise.
        note: on the decoding and the turn.
        heard: ffmpeg's messages, which have the frames' times.
    """

    people: tuple[PersonPlan, ...]
    found: int
    nobody: PersonPlan | None
    size: tuple[int, int]
    quarters: int
    note: str
    heard: Complaints

    @property
    def target(self) -> PersonPlan:
        """The main person, or nobody."""
        if self.nobody is not None:
            return self.nobody
        return self.people[0]


@dataclass(frozen=True, eq=False)
class _Seen:
    """What one reading of a video found."""

    detections: list[list[Face]]
    shots: list[int]
    looks: dict[int, list[Look]]  # number of a track -> looks at it
    size: tuple[int, int]
    heard: Complaints
    tracks: list[Track]


def plan_people(
    video: Path, detector: Detector, settings: AlignSettings, cue: Cue | None, most: int = MOST_PEOPLE
) -> PeoplePlan:
    """Find everyone in a video.

    Args:
        video: the file.
        detector: as usual.
        settings: of alignment.
        cue: by which tracks are joined; None joins none, so that a person is one track, as a corpus' target is.
        most: people who are planned, the most important ones.

    Raises:
        UnreadableVideoError: it cannot be decoded.
        NoFaceError: there is no target, and `settings.no_face` is "fail".
        MachineError: ffmpeg was ended from elsewhere; nothing is known about the video.
    """
    notes: list[str] = []
    samples = Samples(detector.max_side)
    seen = _read(video, detector, settings, cue, notes, samples)
    people = _people(seen, cue, settings)
    records = [fit_face(index, face, settings)[0] for index, face in enumerate(_anyone(people, len(seen.detections)))]
    quarters = turn_of(records, samples, detector)
    if quarters:
        notes = []
        seen = _read(video, detector, settings, cue, notes, Samples(detector.max_side), quarters)
        people = _people(seen, cue, settings)
        notes.append(f"the footage is {WORDS[quarters]}, without a flag that says so; it was turned upright")
    note = "; ".join(notes)
    lengths = tuple(len(track.faces) for track in seen.tracks)
    empty = [FrameRecord(index, has_face=False) for index in range(len(seen.detections))]
    plans = [_plan(video, who, seen, people, settings, lengths, empty) for who in people[:most]]
    planned = tuple(plan for plan in plans if plan is not None)
    nobody = None if planned else _nobody(video, seen, detector, settings, lengths)
    return PeoplePlan(planned, len(people), nobody, seen.size, quarters, note, seen.heard)


def turned(frames: Iterator[Frame], quarters: int) -> Iterator[Frame]:
    """Frames turned counter-clockwise by quarters."""
    for frame in frames:
        yield np.ascontiguousarray(np.rot90(frame, quarters)) if quarters % 4 else frame


def _read(
    video: Path,
    detector: Detector,
    settings: AlignSettings,
    cue: Cue | None,
    notes: list[str],
    samples: Samples,
    quarters: int = 0,
) -> _Seen:
    shots: list[int] = []
    sizes: list[tuple[int, int]] = []
    heard: list[Complaints] = []
    waiting: deque[Frame] = deque()  # as many as the search holds back
    labeller = ShotLabeller()

    def labelled() -> Iterator[tuple[Frame, int]]:
        for frame in turned(prefetched(iter_frames(video, notes=notes, heard=heard)), quarters):
            if not sizes:
                sizes.append((frame.shape[1], frame.shape[0]))
            samples.add(frame)
            shots.append(labeller.label(frame))
            waiting.append(frame)
            yield frame, shots[-1]

    detections: list[list[Face]] = []
    linker, looks = Linker(), KeptLooks()
    last_shot = -1
    since = 0
    for index, faces in enumerate(find_faces(labelled(), detector, settings.every)):
        frame = waiting.popleft()
        since = 0 if shots[index] != last_shot else since + 1
        last_shot = shots[index]
        detections.append(faces)
        tracks = linker.add(faces, last_shot)
        if cue is not None and since % LOOK_EVERY == 0:
            for face, track in zip(faces, tracks, strict=True):
                look = cue.look(frame, face)
                if look is not None:
                    looks.add(track, look)
    return _Seen(detections, shots, looks.of(), sizes[0], heard[-1], linker.tracks)


def _people(seen: _Seen, cue: Cue | None, settings: AlignSettings) -> list[Identity]:
    """People with enough usable faces, the target first; empty without a target."""
    least = least_length(settings.min_track, len(seen.detections))
    everyone = identities(seen.tracks, seen.looks, cue, min(least, 3))
    people = [who for who in everyone if len(usable_faces(who.track, settings.max_residual)) >= least]
    chosen = choose_track(
        [who.track for who in people],
        *seen.size,
        len(seen.detections),
        policy=settings.target,
        min_track=settings.min_track,
        max_residual=settings.max_residual,
    )
    if chosen is None:
        return []
    scores = {id(who): presence_of(usable_faces(who.track, settings.max_residual), *seen.size) for who in people}
    return sorted(people, key=lambda who: (who.track is not chosen, -scores[id(who)]))


def _anyone(people: Sequence[Identity], frames: int) -> list[Face | None]:
    """For each frame a face of the most important person who is in it."""
    return [next((who.track.faces[i] for who in people if i in who.track.faces), None) for i in range(frames)]


def _plan(
    video: Path,
    who: Identity,
    seen: _Seen,
    people: Sequence[Identity],
    settings: AlignSettings,
    lengths: tuple[int, ...],
    empty: Sequence[FrameRecord],
) -> PersonPlan | None:
    """One person; the records of frames without a face are `empty`'s, which all people share."""
    faces_of = who.track.faces
    fits = [
        (record, None) if (face := faces_of.get(record.index)) is None else fit_face(record.index, face, settings)
        for record in empty
    ]
    matrices = nearest_matrices([matrix for _, matrix in fits])
    if matrices is None:
        return None
    records = tuple(record for record, _ in fits)
    plan = ClipPlan(video, records, tuple(matrices), "ok", "", lengths)
    known = {id(face) for other in people if other is not who for face in other.track.faces.values()}
    for track in seen.tracks:  # whoever shows beside the person is another one
        if any(who.track.faces.get(i, face) is not face for i, face in track.faces.items()):
            known.update(id(face) for face in track.faces.values())
    labels = []
    for record, faces in zip(records, seen.detections, strict=True):
        if record.has_face:
            labels.append(PERSON)
        elif record.box is not None or any(id(face) not in known for face in faces):
            labels.append(UNSURE)
        else:
            labels.append(OTHER if faces else NOBODY)
    return PersonPlan(plan, tuple(labels))


def _nobody(
    video: Path,
    seen: _Seen,
    detector: Detector,
    settings: AlignSettings,
    lengths: tuple[int, ...],
) -> PersonPlan:
    """The plan of a video without a target: its frames' middle squares.

    Raises:
        NoFaceError: `settings.no_face` is "fail".
    """
    count = len(seen.detections)
    reason = why_no_face(seen.tracks, count, detector, settings)
    if settings.no_face == "fail":
        raise NoFaceError(f"{video}: {reason}; the setting no_face is 'fail'")
    records = tuple(fit_face(index, None, settings)[0] for index in range(count))
    matrices: tuple[NDArray[np.float64], ...] = (middle_square(*seen.size, settings.size),) * count
    status = "centred" if settings.no_face == "centre" else "no_face"
    plan = ClipPlan(video, records, matrices, status, reason, lengths)
    return PersonPlan(plan, tuple(UNSURE if faces else NOBODY for faces in seen.detections))
