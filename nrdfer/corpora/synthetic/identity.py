"""Identities: the shape, colours and habits of one rendered person, drawn from a seed.

How a person looks in a picture belongs to `face`, what the person does to `expression`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Colour = npt.NDArray[np.float32]  # (3,) RGB, 0 to 1
HairCut = Literal["short", "fringe", "parted", "medium", "long", "receding", "bald"]

_CUTS: tuple[HairCut, ...] = ("short", "fringe", "parted", "medium", "long", "receding", "bald")
_CUT_SHARES = (0.24, 0.14, 0.16, 0.14, 0.18, 0.08, 0.06)
_IRISES = ((0.25, 0.15, 0.08), (0.36, 0.24, 0.12), (0.25, 0.40, 0.55), (0.30, 0.42, 0.25), (0.38, 0.42, 0.45))
_HAIRS = ((0.06, 0.05, 0.05), (0.20, 0.12, 0.07), (0.36, 0.22, 0.11), (0.70, 0.54, 0.32), (0.50, 0.20, 0.08))
_HAIR_SHARES = (0.36, 0.28, 0.16, 0.13, 0.07)


@dataclass(frozen=True, eq=False)
class Identity:
    """One person. Lengths are in head units: the head is about 0.9 high; x to the right, y down, 0 at its centre."""

    skin: Colour
    hair: Colour
    brow: Colour
    lips: Colour
    iris: Colour
    shirt: Colour
    half_width: float
    half_height: float
    jaw: float  # how much the chin narrows, 0 to 1
    eye_distance: float  # of one eye from the middle
    eye_size: float  # 1 is average
    brow_thickness: float
    brow_height: float  # y of the brows
    nose_length: float  # 1 is average
    nose_width: float  # 1 is average
    mouth_width: float  # half of it
    mouth_height: float  # y of the mouth
    lip_fullness: float  # 1 is average
    hair_cut: HairCut
    hair_line: float  # y of the hair's lower edge in the middle of the forehead
    hair_slant: float  # of that edge, for parted hair
    beard: float  # 0 none to 1 dense
    moustache: float  # 0 none to 1 dense
    glasses: float  # 0 none, else the radius of the lenses
    age: float  # 0 smooth to 1 lined
    expressiveness: float  # amplitude of expressions
    habit: npt.NDArray[np.float32]  # (9,) offsets of the resting face, one a facial action


def draw_identity(rng: np.random.Generator) -> Identity:
    """Draw a person; equal generators draw equal persons."""
    tone = float(rng.beta(1.1, 1.3))
    skin = (1 - tone) * np.array([0.95, 0.78, 0.68]) + tone * np.array([0.36, 0.23, 0.16])
    skin = np.clip(skin + rng.normal(0, 0.02, 3) * np.array([1.0, 0.6, 0.9]), 0.05, 1)
    age = float(rng.beta(1.2, 2.2))
    hair = np.array(_HAIRS[rng.choice(len(_HAIRS), p=_HAIR_SHARES)]) * rng.uniform(0.8, 1.2)
    if age > 0.55:
        hair = hair + (0.72 - hair) * rng.uniform(0.3, 1.0)
    lips = skin * np.array([0.84, 0.58, 0.58]) + np.array([0.09, 0.02, 0.03]) + rng.normal(0, 0.02, 3)
    cut = _CUTS[rng.choice(len(_CUTS), p=_CUT_SHARES)]
    bearded = cut != "long" and rng.random() < 0.4
    if not bearded and rng.random() < 0.4:  # lipstick
        lips = lips + (np.array([0.68, 0.16, 0.20]) - lips) * rng.uniform(0.3, 0.7)
    line = {"fringe": (-0.235, -0.20), "receding": (-0.44, -0.40), "bald": (-0.62, -0.6)}.get(cut, (-0.35, -0.29))
    return Identity(
        skin=skin.astype(np.float32),
        hair=np.clip(hair, 0.02, 1).astype(np.float32),
        brow=np.clip(hair * 0.55 + skin * 0.08, 0.02, 0.6).astype(np.float32),
        lips=np.clip(lips, 0.05, 1).astype(np.float32),
        iris=np.array(_IRISES[rng.choice(len(_IRISES))], np.float32),
        shirt=rng.uniform(0.05, 0.8, 3).astype(np.float32),
        half_width=rng.uniform(0.315, 0.36),
        half_height=rng.uniform(0.435, 0.475),
        jaw=rng.uniform(0.05, 0.24),
        eye_distance=rng.uniform(0.136, 0.156),
        eye_size=rng.uniform(0.92, 1.12),
        brow_thickness=rng.uniform(0.010, 0.018),
        brow_height=rng.uniform(-0.136, -0.120),
        nose_length=rng.uniform(0.9, 1.12),
        nose_width=rng.uniform(0.85, 1.25),
        mouth_width=rng.uniform(0.092, 0.112),
        mouth_height=rng.uniform(0.200, 0.220),
        lip_fullness=rng.uniform(0.75, 1.3),
        hair_cut=cut,
        hair_line=rng.uniform(*line),
        hair_slant=float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.32)) if cut == "parted" else 0.0,
        beard=float(rng.uniform(0.35, 0.95)) if bearded and rng.random() < 0.6 else 0.0,
        moustache=float(rng.uniform(0.3, 0.9)) if bearded else 0.0,
        glasses=float(rng.uniform(0.078, 0.092)) if rng.random() < 0.18 else 0.0,
        age=age,
        expressiveness=rng.uniform(0.75, 1.1),
        habit=rng.normal(0, 0.05, 9).astype(np.float32),
    )
