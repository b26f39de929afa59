"""Who is seen: the shape, colours and habits of one rendered person, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float32]  # (3,) RGB, 0 to 1


@dataclass(frozen=True, eq=False)
class Identity:
    """One person. Lengths are in head units: the head is about 0.9 high; x to the right, y down, 0 at its centre."""

    skin: Colour
    hair: Colour
    lips: Colour
    iris: Colour
    shirt: Colour
    half_width: float
    half_height: float
    jaw: float  # how much the chin narrows
    eye_distance: float  # of one eye from the middle
    eye_size: float
    brow_thickness: float
    brow_height: float
    nose_length: float
    mouth_width: float
    mouth_height: float  # y of the mouth
    hair_line: float  # y of the hair's lower edge on the forehead
    hair_volume: float
    beard: float  # 0 none to 1 dense
    glasses: bool
    expressiveness: float  # amplitude of expressions
    habit: npt.NDArray[np.float32]  # offsets of the resting face, one a facial action


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a person."""
    tone = rng.uniform(0.0, 1.0)
    light_skin, dark_skin = np.array([0.93, 0.76, 0.66]), np.array([0.34, 0.22, 0.16])
    skin = (1 - tone) * light_skin + tone * dark_skin + rng.normal(0, 0.015, 3)
    blond, black = np.array([0.62, 0.48, 0.28]), np.array([0.06, 0.05, 0.05])
    shade = rng.beta(1.2, 2.0)
    hair = shade * blond + (1 - shade) * black
    if rng.random() < 0.12:
        hair = np.full(3, rng.uniform(0.5, 0.8))
    return Identity(
        skin=np.clip(skin, 0.05, 1).astype(np.float32),
        hair=np.clip(hair, 0.02, 1).astype(np.float32),
        lips=np.clip(skin * np.array([0.86, 0.58, 0.58]) + rng.normal(0, 0.02, 3), 0, 1).astype(np.float32),
        iris=np.array([[0.25, 0.15, 0.08], [0.25, 0.4, 0.55], [0.3, 0.42, 0.25]][rng.choice(3)], np.float32),
        shirt=rng.uniform(0.05, 0.8, 3).astype(np.float32),
        half_width=rng.uniform(0.31, 0.36),
        half_height=rng.uniform(0.43, 0.48),
        jaw=rng.uniform(0.2, 0.36),
        eye_distance=rng.uniform(0.135, 0.158),
        eye_size=rng.uniform(0.9, 1.12),
        brow_thickness=rng.uniform(0.011, 0.019),
        brow_height=rng.uniform(-0.132, -0.118),
        nose_length=rng.uniform(0.9, 1.12),
        mouth_width=rng.uniform(0.078, 0.096),
        mouth_height=rng.uniform(0.185, 0.205),
        hair_line=rng.uniform(-0.36, -0.29),
        hair_volume=rng.uniform(1.06, 1.22),
        beard=float(rng.choice([0, 0, 0, rng.uniform(0.2, 0.6)])),
        glasses=bool(rng.random() < 0.15),
        expressiveness=rng.uniform(0.75, 1.1),
        habit=rng.normal(0, 0.05, 9).astype(np.float32),
    )
