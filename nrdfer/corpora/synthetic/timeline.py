"""Timeline of a clip: the course of the expression, motion of head and eyes, and the frames that are noise.

The two kinds of noise are those of Li et al. 2022 (section 1): N1, frames that do not show the target's face, and
N2, neutral frames of a clip whose emotion is shown only for a moment. How a frame is then painted belongs to `clips`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.expression import ACTIONS, Action, Course, act, draw_course
from nrdfer.corpora.synthetic.face import Light, Pose
from nrdfer.corpora.synthetic.identity import Identity

Noise = Literal["none", "n1_noface", "n1_occluded", "n1_person", "n1_person_acting", "n1_person_neutral", "n2_neutral"]
N1_KINDS: tuple[Noise, ...] = ("n1_noface", "n1_occluded", "n1_person")  # of the sample corpora
NEUTRAL_BELOW = 0.15  # intensity below which a frame of an N2 clip is called neutral
Curve = npt.NDArray[np.float64]  # (T,)


@dataclass(frozen=True, eq=False)
class Timeline:
    """One clip, frame by frame; all fields are T long."""

    noise: tuple[Noise, ...]
    intensity: Curve  # 0 to about 1.1
    actions: tuple[Action, ...]
    poses: tuple[Pose, ...]
    shift: npt.NDArray[np.float64]  # (T, 2) where the head moves, heights of the head
    zoom: Curve  # factor on the height of the head

    def runs(self) -> list[tuple[Noise, int, int]]:
        """Neighbouring frames of equal noise: kind, first, one past the last."""
        found: list[tuple[Noise, int, int]] = []
        for index, kind in enumerate(self.noise):
            if found and found[-1][0] == kind:
                found[-1] = (kind, found[-1][1], index + 1)
            else:
                found.append((kind, index, index + 1))
        return found


@dataclass(frozen=True)
class Acting:
    """Timing and strength of the acting in a clip."""

    amplitude: float = 1.0  # factor on the expression
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)  # yaw, pitch and roll that the head turns about, radians
    course: Course | None = None  # of the expression, instead of a drawn one; everything else is drawn as it would be


def draw_timeline(
    rng: np.random.Generator,
    identity: Identity,
    emotion: str,
    frames: int,
    *,
    n1_rate: float,
    mostly_neutral: bool,
    acting: Acting = Acting(),
) -> Timeline:
    """Draw a clip.

    Args:
        rng: of everything drawn.
        identity: who is seen.
        emotion: what the clip is labelled.
        frames: T.
        n1_rate: expected share of N1 frames.
        mostly_neutral: whether this is an N2 clip; ignored for the emotion neutral.
        acting: how the expression is played.
    """
    mostly_neutral = mostly_neutral and emotion != "neutral"
    drawn = draw_course(rng, mostly_neutral)
    course = drawn if acting.course is None else acting.course
    times = (np.arange(frames) + 0.5) / frames
    level = 0.0 if emotion == "neutral" else acting.amplitude
    intensity = np.array([level * course.at(float(t)) for t in times])
    style = rng.uniform(0.75, 1.25, len(ACTIONS)).astype(np.float32)
    flutter = np.stack([smooth(rng, frames, 0.05) for _ in ACTIONS], 1)
    for index in _blinks(rng, frames):
        flutter[index, ACTIONS.index("eye_open")] -= 0.85
    actions = tuple(
        act(identity, emotion, float(now), style, small.astype(np.float32))
        for now, small in zip(intensity, flutter, strict=True)
    )
    swings = zip(acting.turn, (0.05, 0.03, 0.025), (0.08, 0.04, 0.03), strict=True)
    angles = np.stack([base + rng.normal(0, own) + smooth(rng, frames, swing) for base, own, swing in swings], 1)
    gaze = np.stack([smooth(rng, frames, 0.35), smooth(rng, frames, 0.2)], 1)
    poses = tuple(Pose(*map(float, (*angle, *look))) for angle, look in zip(angles, gaze, strict=True))
    noise: list[Noise] = ["none"] * frames
    if mostly_neutral:
        noise = ["n2_neutral" if now < NEUTRAL_BELOW else "none" for now in intensity]
    _plant_n1(rng, noise, n1_rate, spare=mostly_neutral)
    return Timeline(
        tuple(noise),
        intensity,
        actions,
        poses,
        np.stack([smooth(rng, frames, 0.1), smooth(rng, frames, 0.05)], 1),
        1 + smooth(rng, frames, 0.03),
    )


def smooth(rng: np.random.Generator, frames: int, size: float) -> Curve:
    """A slow random curve around 0, (frames,), of amplitude about `size`."""
    times = np.linspace(0, 1, frames)
    curve = np.zeros(frames)
    for waves in (rng.uniform(0.3, 1.0), rng.uniform(1.0, 2.5)):
        curve += rng.normal(0, 0.7) * size / waves**0.5 * np.sin(2 * np.pi * (waves * times + rng.random()))
    return curve


def draw_turn(rng: np.random.Generator) -> tuple[float, float, float]:
    """A typical head pose of a person in a film: yaw, pitch and roll in radians."""
    return float(rng.normal(0, 0.16)), float(rng.normal(0, 0.06)), float(rng.normal(0, 0.04))


def draw_light_of_clip(rng: np.random.Generator) -> Light:
    """A light that stays for a clip; softer than `scene.draw_light`, as film sets are."""
    warm = float(rng.normal(0, 0.04))
    return Light(
        float(rng.uniform(-0.7, 0.7)),
        float(rng.uniform(-0.9, 0.0)),
        float(rng.uniform(0.5, 1.0)),
        float(rng.uniform(0.4, 0.65)),
        float(rng.uniform(0.85, 1.1)),
        (1 + warm, 1.0, 1 - warm),
    )


def _blinks(rng: np.random.Generator, frames: int) -> list[int]:
    """Frames with closed eyes: about one in 25."""
    return [int(i) for i in rng.integers(0, frames, int(rng.poisson(frames / 25)))]


def _plant_n1(rng: np.random.Generator, noise: list[Noise], rate: float, *, spare: bool) -> None:
    """Overwrite runs of one to four frames with N1, never more than 60 % of the clip.

    With `spare`, the short expressive stretch of an N2 clip is kept while there are other frames: without it
    the emotion could not be recognised.
    """
    frames = len(noise)
    wanted = rate * frames * rng.uniform(0.2, 1.8)
    count = min(int(wanted + rng.random()), int(0.6 * frames))
    expressive = {i for i, kind in enumerate(noise) if kind == "none"} if spare else set()
    count = min(count, frames - len(expressive))
    while count > 0:
        kind = N1_KINDS[int(rng.integers(len(N1_KINDS)))]
        length = min(count, int(rng.integers(1, 5)))
        free = [i for i in range(frames) if noise[i] not in N1_KINDS and i not in expressive]
        start = free[int(rng.integers(len(free)))]
        for index in range(start, min(start + length, frames)):
            if index in expressive or noise[index] in N1_KINDS:
                break
            noise[index] = kind
            count -= 1
