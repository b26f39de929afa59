"""The clips of a rendered corpus, and the writing of one of them: its files and its ground truth.

A job knows everything its clip derives from, so that clips can be rendered anywhere in any order. Folds, label files
and the corpus as a whole are `render`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.rendering import CorpusSettings
from nrdfer.core.emotions import AFEW_FOLDERS, EMOTIONS
from nrdfer.corpora.labels import FOLDS
from nrdfer.corpora.synthetic.clips import (
    AFEW_FPS,
    AFEW_HEIGHT,
    AFEW_WIDTH,
    Frame,
    afew_frames,
    dfew_frames,
)
from nrdfer.corpora.synthetic.identity import Identity, draw_identity
from nrdfer.corpora.synthetic.scene import SceneFace
from nrdfer.corpora.synthetic.timeline import Acting, Timeline, draw_timeline, draw_turn
from nrdfer.video.constant_rate_writer import Codec, VideoWriter
from nrdfer.video.jpeg import encode_jpeg

DFEW_CLIPS = "DFEW/Clip/clip_224x224"
_AFEW_QUALITY = 4  # of mpeg4, between 1 (best) and 31
_IDENTITIES, _CLIPS, _NAMES, _SESSIONS = 1, 2, 3, 4  # branches of the seed


Faces = list[SceneFace | None]  # one a frame


@dataclass(frozen=True)
class ClipJob:
    """One clip to render; `number` counts over all corpora and is what its randomness derives from."""

    corpus: str  # AFEW, DFEW or a further one
    number: int
    person: int
    emotion: str
    clip_id: str  # as `nrdfer.corpora.afew` and `nrdfer.corpora.dfew` name it
    split: str  # train or val, or the number of the fold that tests on it
    path: str  # of the video, or of the folder of frames

    @property
    def is_video(self) -> bool:
        """Whether it is a film scene and not a folder of face crops."""
        return bool(Path(self.path).suffix)


def identity_of(seed: int, person: int) -> Identity:
    """The person of that number in the corpus of that seed."""
    return draw_identity(np.random.default_rng([seed, _IDENTITIES, person]))


def plan(settings: CorpusSettings) -> list[ClipJob]:
    """All clips of a corpus: AFEW's first, as they take longest."""
    people = settings.afew_train_identities + settings.afew_val_identities
    casting = [(person, emotion) for person in range(people + settings.identities) for emotion in EMOTIONS]
    names = np.random.default_rng([settings.seed, _NAMES])
    stamps = _time_stamps(names)
    folders = {emotion: folder for folder, emotion in AFEW_FOLDERS.items()}
    ids = iter(names.permutation(settings.identities * len(EMOTIONS)) + 1)
    jobs: list[ClipJob] = []
    for number, (person, emotion) in enumerate(casting):
        if person < people:
            split, folder = ("train", "Train_AFEW") if person < settings.afew_train_identities else ("val", "Val_AFEW")
            stem, name = next(stamps), folders[emotion]
            path = f"AFEW/{folder}/{name}/{stem}.avi"
            jobs.append(ClipJob("AFEW", number, person, emotion, f"{split}_{name}_{stem}", split, path))
        else:
            clip_id = f"{int(next(ids)):05d}"
            fold = str((person - people) % len(FOLDS) + 1)
            jobs.append(ClipJob("DFEW", number, person, emotion, clip_id, fold, f"{DFEW_CLIPS}/{clip_id}"))
    return jobs


def _time_stamps(rng: np.random.Generator) -> Iterator[str]:
    """Unique names in AFEW's style: hours, minutes, seconds and milliseconds into a film."""
    seen: set[str] = set()
    while True:
        hours, minutes, seconds, parts = (int(rng.integers(n)) for n in (3, 60, 60, 25))
        stamp = f"{hours:02d}{minutes:02d}{seconds:02d}{parts * 40:03d}"
        if stamp not in seen:
            seen.add(stamp)
            yield stamp


def render_clip(job: ClipJob, settings: CorpusSettings, root: Path) -> dict[str, Any]:
    """Write the files of one clip below `root`.

    Returns:
        What is true about it, ready for JSON: see `render.render_corpus`.

    Raises:
        NrdferError: ffmpeg failed.
        OSError: the disk is full or not writable.
    """
    rng = np.random.default_rng([settings.seed, _CLIPS, job.number])
    session = np.random.default_rng([settings.seed, _SESSIONS, job.person])
    identity = identity_of(settings.seed, job.person)
    shortest, longest = settings.afew_frames if job.is_video else settings.frames
    mostly_neutral = bool(rng.random() < settings.n2_rate)
    dark = job.is_video and bool(rng.random() < settings.dark_rate)
    second_person = job.is_video and bool(rng.random() < settings.second_person_rate)
    noisy = bool(rng.random() < settings.n1_clips)
    timeline = draw_timeline(
        rng,
        identity,
        job.emotion,
        int(rng.integers(shortest, longest + 1)),
        n1_rate=settings.n1_rate if noisy else 0.0,
        mostly_neutral=mostly_neutral,
        acting=Acting(settings.amplitude, draw_turn(session)),
    )
    if job.is_video:
        frames = afew_frames(rng, session, identity, timeline, dark=dark, second_person=second_person)
        faces = _write_video(root / job.path, frames)
    else:
        faces = _write_pictures(root / job.path, dfew_frames(rng, session, identity, timeline), settings.jpeg_quality)
    return {
        "corpus": job.corpus,
        "clip_id": job.clip_id,
        "split": job.split,
        "path": job.path,
        "emotion": job.emotion,
        "identity": job.person,
        "n2_clip": "n2_neutral" in timeline.noise,
        "dark": dark,
        "second_person": second_person,
        **_per_frame(timeline, faces),
    }


def _write_video(path: Path, frames: Iterator[Frame]) -> Faces:
    faces: Faces = []
    path.parent.mkdir(parents=True, exist_ok=True)
    codec: tuple[Codec, int | None] = ("libx264", None) if path.suffix == ".flv" else ("mpeg4", _AFEW_QUALITY)
    with VideoWriter(path, AFEW_WIDTH, AFEW_HEIGHT, AFEW_FPS, *codec) as writer:
        for frame in frames:
            writer.write(frame.rgb)
            faces.append(frame.face)
    return faces


def _write_pictures(folder: Path, frames: Iterator[Frame], quality: int) -> Faces:
    folder.mkdir(parents=True, exist_ok=True)  # a clip may be begun again
    faces: Faces = []
    for number, frame in enumerate(frames, start=1):
        (folder / f"{folder.name}_{number:05d}.jpg").write_bytes(encode_jpeg(frame.rgb, quality))
        faces.append(frame.face)
    return faces


def _per_frame(timeline: Timeline, faces: Faces) -> dict[str, Any]:
    return {
        "frames": len(faces),
        "noise": list(timeline.noise),
        "intensity": [round(float(value), 3) for value in timeline.intensity],
        "box": [None if face is None else np.round(face.box.astype(float), 1).tolist() for face in faces],
        "points": [None if face is None else np.round(face.points.astype(float), 1).tolist() for face in faces],
    }
