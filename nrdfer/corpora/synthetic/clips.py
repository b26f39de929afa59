"""Painting the frames of a clip: AFEW's film scenes and DFEW's face crops, with the planted noise.

What happens in the clip is `timeline`'s; files and folders are `jobs`' and `render`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.background import Map, draw_background
from nrdfer.corpora.synthetic.camera import Camera, Picture
from nrdfer.corpora.synthetic.face import Light, RenderedFace, blur, render_face
from nrdfer.corpora.synthetic.identity import Identity, draw_identity
from nrdfer.corpora.synthetic.scene import SceneFace, occlude, place_face
from nrdfer.corpora.synthetic.timeline import Timeline, draw_light_of_clip, draw_timeline

AFEW_WIDTH, AFEW_HEIGHT, AFEW_FPS = 720, 576, 25.0
DFEW_SIDE = 224
_BOX = 0.81  # height of a face's box in heights of the head
#: What another person's face shows, by the kind of noise; ``n1_person``: any emotion.
_STRANGERS: Mapping[str, Sequence[str]] = {
    "n1_person_acting": [emotion for emotion in EMOTIONS if emotion != "neutral"],
    "n1_person_neutral": ["neutral"],
}
_LOW = 0.06  # distance of the box's centre below the head's centre, heights of the head


@dataclass(frozen=True, eq=False)
class Frame:
    """One painted frame and the face in it: the target's, or the other person's where one is seen."""

    rgb: Picture
    face: SceneFace | None


@dataclass(frozen=True, eq=False)
class Actor:
    """One rendered person in a clip."""

    identity: Identity
    timeline: Timeline
    light: Light
    centre: tuple[float, float]  # of the head at rest, pixels
    height: float  # of the head at rest, pixels
    sway: float  # factor on the timeline's shift
    size: int  # pixels to render the head with

    def render(self, index: int) -> tuple[RenderedFace, tuple[float, float], float]:
        """The head in frame `index`, where it is, and how high."""
        line = self.timeline
        face = render_face(self.identity, line.actions[index], line.poses[index], self.light, self.size)
        dx, dy = line.shift[index] * self.sway * self.height
        return face, (self.centre[0] + dx, self.centre[1] + dy), self.height * float(line.zoom[index])

    def place(self, picture: Map, index: int) -> SceneFace:
        """Paint the head of frame `index` onto `picture`."""
        face, centre, height = self.render(index)
        return place_face(picture, face, self.identity, centre, height)


def afew_frames(
    rng: np.random.Generator,
    session: np.random.Generator,
    identity: Identity,
    timeline: Timeline,
    *,
    dark: bool,
    second_person: bool,
) -> Iterator[Frame]:
    """A film scene of 720 x 576 pixels, the face 150 to 320 pixels high.

    Args:
        rng: of what is this clip's own.
        session: of what all clips of a person have in common: room, light, camera.
        identity: who.
        timeline: what happens.
        dark: badly lit, and noisy.
        second_person: whether a second person is visible; the target is then smaller and to one side.
    """
    share, side = float(session.random()), float(session.choice([-1, 1]))
    tall = (150 + share * (90 if second_person else 170)) / _BOX * float(rng.uniform(0.97, 1.03))
    tall = float(np.clip(tall, 150 / _BOX, 320 / _BOX))
    sideways = float(session.uniform(0.1, 0.18)) if second_person else float(session.uniform(-0.13, 0.13))
    low, high = 0.5 * tall + 8, AFEW_HEIGHT - 0.55 * tall
    y = float(np.clip(AFEW_HEIGHT * session.uniform(0.38, 0.52), low, max(low, high)))
    light = draw_light_of_clip(session)
    actor = Actor(identity, timeline, light, (AFEW_WIDTH * (0.5 + side * sideways), y), tall, 1.0, 176)
    gain, noise = float(session.uniform(0.8, 1.15)), float(session.uniform(0.003, 0.01))
    if dark:
        gain, noise = float(rng.uniform(0.12, 0.3)), float(rng.uniform(0.008, 0.016))
    camera = Camera(rng, AFEW_WIDTH, AFEW_HEIGHT, gain, noise)
    extra = _bystander(rng, actor, side) if second_person else None
    yield from _frames(rng, session, camera, actor, extra, (AFEW_WIDTH, AFEW_HEIGHT), 0.0)


def dfew_frames(
    rng: np.random.Generator, session: np.random.Generator, identity: Identity, timeline: Timeline
) -> Iterator[Frame]:
    """A face crop of 224 x 224 pixels, as a detector's box with a margin gives it: the face fills about 75 %.

    Args:
        rng: of what is this clip's own.
        session: of what all clips of a person have in common: room, light, camera. With so few clips a network
            would otherwise learn the rooms by heart and not the faces.
        identity: who.
        timeline: what happens.
    """
    tall = DFEW_SIDE * float(session.uniform(0.69, 0.81)) / _BOX * float(rng.uniform(0.97, 1.03))
    jitter = rng.normal(0, 0.02, 2) * DFEW_SIDE
    centre = (DFEW_SIDE / 2 + float(jitter[0]), DFEW_SIDE / 2 - _LOW * tall + float(jitter[1]))
    # the crop follows the face, so that little is left of its motion
    actor = Actor(identity, timeline, draw_light_of_clip(session), centre, tall, 0.3, 160)
    soft = float(session.uniform(0.4, 1.0)) if session.random() < 0.3 else 0.0
    gain = float(session.uniform(0.65, 1.15)) * float(rng.uniform(0.95, 1.05))
    camera = Camera(rng, DFEW_SIDE, DFEW_SIDE, gain, float(session.uniform(0.004, 0.012)))
    yield from _frames(rng, session, camera, actor, None, (DFEW_SIDE, DFEW_SIDE), soft)


def _bystander(rng: np.random.Generator, actor: Actor, side: float) -> Actor:
    """A smaller person, on the other side, with another expression."""
    who = draw_identity(rng)
    tall = actor.height * float(rng.uniform(0.4, 0.62))
    away = 0.5 * actor.height + 0.5 * tall + float(rng.uniform(0.12, 0.3)) * actor.height
    x = float(np.clip(actor.centre[0] - side * away, 0.5 * tall, AFEW_WIDTH - 0.5 * tall))
    y = float(np.clip(actor.centre[1] + rng.uniform(-0.25, 0.05) * actor.height, 0.55 * tall, AFEW_HEIGHT))
    line = _other_timeline(rng, who, len(actor.timeline.noise))
    return Actor(who, line, actor.light, (x, y), tall, 0.6, 112)


def _other_timeline(
    rng: np.random.Generator, who: Identity, frames: int, emotions: Sequence[str] = EMOTIONS
) -> Timeline:
    emotion = emotions[int(rng.integers(len(emotions)))]
    return draw_timeline(rng, who, emotion, frames, n1_rate=0.0, mostly_neutral=False)


def _frames(
    rng: np.random.Generator,
    session: np.random.Generator,
    camera: Camera,
    actor: Actor,
    extra: Actor | None,
    size: tuple[int, int],
    soft: float,
) -> Iterator[Frame]:
    room, elsewhere = draw_background(session, *size), draw_background(session, *size)
    stranger = draw_identity(session)
    for kind, first, end in actor.timeline.runs():
        setting, cast = room, actor
        another = kind.startswith("n1_person")
        if another or kind == "n1_noface":  # a cut to another shot
            setting = elsewhere
        if another:
            line = _other_timeline(rng, stranger, len(actor.timeline.noise), _STRANGERS.get(kind, EMOTIONS))
            cast = Actor(stranger, line, draw_light_of_clip(rng), actor.centre, actor.height, actor.sway, actor.size)
        seed, share = int(rng.integers(2**63)), float(rng.uniform(0.7, 0.95))
        for index in range(first, end):
            picture = setting.copy()
            face = None
            if kind != "n1_noface":
                if extra is not None and not another:
                    extra.place(picture, index)
                face = cast.place(picture, index)
            if kind == "n1_occluded" and face is not None:
                occlude(picture, face.box, np.random.default_rng(seed), share)
            if soft:
                picture = blur(picture, soft)
            yield Frame(camera.photograph(picture), face)
