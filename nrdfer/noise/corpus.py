"""The benchmark's clips: the same people, expressions, light and camera at every level of noise.

A test clip of one person and emotion is rendered once for every condition. The noise differs, and with it only the
camera's grain and what covers or replaces a face, which are redrawn: frames of N1 at one level are also N1 at every
higher one, and N2 shortens the time for which the emotion is shown. The condition of a clip and the ground truth of
each frame are in `TRUTH` and never in the shards' records.

Training clips come in arms: (a) with noise as in the sample corpora, (b) without any, (c) as a, but with as many
neutral ones as DFEW has, for which second takes of neutral replace clips of other emotions. The frozen networks learn
from people of their own, so that their features are of no clip that a temporal stage learns from.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from nrdfer.config.noise import N1, N2, NoiseSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.corpora.synthetic.clips import dfew_frames
from nrdfer.corpora.synthetic.expression import Course
from nrdfer.corpora.synthetic.identity import Identity, draw_identity
from nrdfer.corpora.synthetic.timeline import NEUTRAL_BELOW, Acting, Noise, Timeline, draw_timeline, draw_turn
from nrdfer.shards.writer import EncodedClip, build_shards, shard_name
from nrdfer.video.jpeg import encode_jpeg

TRUTH = "truth.jsonl"
#: Kinds of training clips: with noise, without, second takes of neutral with noise, and those of the frozen networks.
TRAINING, CLEAN, EXTRA, BACKBONE = "training", "clean", "extra", "backbone"
LEARNT = (TRAINING, CLEAN, EXTRA, BACKBONE)
#: What is planted in test clips: another person's face neutral as often as acting.
PLANTED_KINDS: tuple[Noise, ...] = ("n1_noface", "n1_occluded", "n1_person_acting", "n1_person_neutral")
_IDENTITY, _SESSION, _CLIP, _PLANTED, _PAINT, _TAKE = range(6)  # streams of random numbers
_GROUP = 20  # clips of a shard
_RUN = (1, 4)  # frames of N1 in a row
_QUALITY = 95


@dataclass(frozen=True)
class NoisyClip:
    """One clip to render."""

    person: int
    emotion: str
    kind: str  # one of LEARNT, N1 or N2
    level: float

    @property
    def base(self) -> str:
        """Name of what stays the same at every level: person and emotion."""
        return f"p{self.person:04d}_{self.emotion}"

    @property
    def number(self) -> int:
        """Number of what stays the same; its randomness derives from it."""
        return self.person * len(EMOTIONS) + EMOTIONS.index(self.emotion)

    @property
    def clip_id(self) -> str:
        """Its name in the shards."""
        level = "" if self.kind in LEARNT else f"-{round(100 * self.level):02d}"
        return f"{self.base}_{self.kind}{level}"


def plan(settings: NoiseSettings) -> list[NoisyClip]:
    """All clips: those of the arms, of the frozen networks, then every test clip in every condition."""
    learnt = settings.training_people
    tested = learnt + settings.test_people
    kinds = [(range(learnt), kind, EMOTIONS) for kind in (TRAINING, CLEAN)]
    kinds.append((range(_extra(settings)), EXTRA, ("neutral",)))
    kinds.append((range(tested, tested + settings.backbone_people), BACKBONE, EMOTIONS))
    return [
        *(NoisyClip(person, emotion, kind, 0.0) for people, kind, of in kinds for person in people for emotion in of),
        *(
            NoisyClip(person, emotion, kind, level)
            for person in range(learnt, tested)
            for emotion in EMOTIONS
            for kind, level in settings.conditions
        ),
    ]


def _extra(settings: NoiseSettings) -> int:
    """Second takes of neutral in arm c, which has as many clips as the others."""
    return round(settings.training_people * (len(EMOTIONS) * settings.neutral_share - 1))


def arm_clips(arm: str, settings: NoiseSettings) -> list[str]:
    """Ids of the training clips of an arm, in order; all arms have the same number."""
    kind = CLEAN if arm == "b" else TRAINING
    clips = [clip for clip in plan(settings) if clip.kind == kind]
    if arm == "c":
        extra = [clip for clip in plan(settings) if clip.kind == EXTRA]
        others = [clip for clip in clips if clip.emotion != "neutral"]
        # spread evenly over people
        places = np.linspace(0, len(others) - 1, len(extra)).round().astype(int)
        dropped = {others[place].clip_id for place in places}
        clips = [*(clip for clip in clips if clip.clip_id not in dropped), *extra]
    return [clip.clip_id for clip in clips]


def timeline_of(clip: NoisyClip, settings: NoiseSettings) -> Timeline:
    """Timeline of a clip, its noise included."""
    stream = (_TAKE if clip.kind == EXTRA else _CLIP, clip.number)
    noisy = clip.kind in (TRAINING, EXTRA)
    rng = np.random.default_rng([settings.seed, *stream])
    who, session = _person(clip, settings)
    frames = int(rng.integers(settings.frames[0], settings.frames[1] + 1))
    neutral_first = bool(rng.random() < settings.training_n2_clips)
    place = float(rng.random())
    peak = float(rng.uniform(0.8, 1.05))
    course = None if clip.kind in LEARNT else course_of(clip.level if clip.kind == N2 else 0.0, place, peak)
    line = draw_timeline(
        rng,
        who,
        clip.emotion,
        frames,
        n1_rate=settings.training_n1 if noisy else 0.0,
        mostly_neutral=noisy and neutral_first,
        acting=Acting(settings.amplitude, draw_turn(session), course),
    )
    if clip.kind in LEARNT:
        return line
    noise: list[Noise] = list(line.noise)
    if clip.kind == N2 and clip.emotion != "neutral":
        noise = ["n2_neutral" if now < NEUTRAL_BELOW else "none" for now in line.intensity]
    if clip.kind == N1:
        planted = np.random.default_rng([settings.seed, _PLANTED, clip.number])
        for index, kind in plant_order(planted, frames)[: round(clip.level * frames)]:
            noise[index] = kind
    return dataclasses.replace(line, noise=tuple(noise))


def _person(clip: NoisyClip, settings: NoiseSettings) -> tuple[Identity, np.random.Generator]:
    """Identity of a clip's person, and all that the person's clips have in common."""
    who = draw_identity(np.random.default_rng([settings.seed, _IDENTITY, clip.person]))
    return who, np.random.default_rng([settings.seed, _SESSION, clip.person])


def course_of(neutral: float, place: float, peak: float) -> Course:
    """An expression that leaves the share `neutral` of a clip neutral.

    Args:
        neutral: 0: the whole clip shows it.
        place: 0 to 1, where in the clip it is shown.
        peak: its strength.
    """
    visible = 1 - neutral
    start = place * neutral
    # rise and fall are cut out of what is shown; the smooth step passes the bound of neutral after a fifth of them
    rise = 0.15 * visible if neutral else 1e-6
    end = start + visible
    return Course(start - 0.2 * rise, start + 0.8 * rise, end - 0.8 * rise, end + 0.2 * rise, peak)


def plant_order(rng: np.random.Generator, frames: int) -> list[tuple[int, Noise]]:
    """The frames of a clip in the order in which they become N1, in runs of one to four, each of one kind."""
    order: list[tuple[int, Noise]] = []
    free = set(range(frames))
    while free:
        start = int(rng.choice(sorted(free)))
        kind = PLANTED_KINDS[int(rng.integers(len(PLANTED_KINDS)))]
        for index in range(start, start + int(rng.integers(_RUN[0], _RUN[1] + 1))):
            if index not in free:
                break
            free.remove(index)
            order.append((index, kind))
    return order


@dataclass(frozen=True)
class _Group:
    """A shard to write."""

    name: str
    planned: tuple[NoisyClip, ...]
    settings: NoiseSettings

    @property
    def count(self) -> int:
        return len(self.planned)

    def clips(self) -> Iterator[EncodedClip]:
        size = (self.settings.image_size, self.settings.image_size)
        for clip in self.planned:
            rng = np.random.default_rng([self.settings.seed, _PAINT, clip.number, int(clip.kind == EXTRA)])
            who, session = _person(clip, self.settings)
            draw_turn(session)  # as `timeline_of` did
            painted = dfew_frames(rng, session, who, timeline_of(clip, self.settings))
            small = [cv2.resize(frame.rgb, size, interpolation=cv2.INTER_AREA) for frame in painted]
            record = ClipRecord(
                corpus="noise",
                clip_id=clip.clip_id,
                emotion=clip.emotion,
                split="train" if clip.kind in LEARNT else "test",
                n_frames=len(small),
                source_sha256="0" * 64,
                frames=tuple(FrameRecord(index, True) for index in range(len(small))),
            )
            yield record, [encode_jpeg(np.asarray(rgb, np.uint8), _QUALITY) for rgb in small]


def render_clips(
    settings: NoiseSettings,
    work: Path,
    out: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Render all clips into shards in `out`, and `TRUTH` beside them; finished shards in `work` are kept.

    Raises:
        NrdferError: worker processes keep dying.
    """
    clips = plan(settings)
    parts = [tuple(clips[start : start + _GROUP]) for start in range(0, len(clips), _GROUP)]
    jobs = [_Group(shard_name("noise", number), part, settings) for number, part in enumerate(parts)]
    build_shards(jobs, work, out, workers=workers, what="clips of the noise benchmark", progress=progress)
    with (out / TRUTH).open("w") as file:
        for clip in clips:
            noise = timeline_of(clip, settings).noise
            facts = {"clip_id": clip.clip_id, "base": clip.base, "person": clip.person, "emotion": clip.emotion}
            file.write(json.dumps({**facts, "kind": clip.kind, "level": clip.level, "noise": noise}) + "\n")
    return {"clips": len(clips), "training": sum(clip.kind in LEARNT for clip in clips)}


def read_truth(folder: Path) -> list[dict[str, Any]]:
    """One row a clip: ``clip_id``, ``base``, ``person``, ``emotion``, ``kind``, ``level``, ``noise`` of each frame."""
    return [json.loads(line) for line in (folder / TRUTH).read_text().splitlines()]
