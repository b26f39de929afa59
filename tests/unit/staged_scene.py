"""A picture of people who stand where a test puts them; random ones are `nrdfer.corpora.synthetic.scene`'s."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nrdfer.corpora.synthetic.background import draw_background
from nrdfer.corpora.synthetic.camera import finish
from nrdfer.corpora.synthetic.face import Map, RenderedFace
from nrdfer.corpora.synthetic.identity import Identity
from nrdfer.corpora.synthetic.scene import Role, Scene, place_face


@dataclass(frozen=True, eq=False)
class Placement:
    """A rendered head, whose it is, and where it stands: centre (x, y) and height of the head, pixels."""

    face: RenderedFace
    identity: Identity
    centre: tuple[float, float]
    height: float
    role: Role = "target"


def render_scene(
    rng: np.random.Generator,
    people: Sequence[Placement],
    *,
    width: int = 720,
    height: int = 576,
    gain: float = 1.0,
    noise: float = 0.01,
    background: Map | None = None,
) -> Scene:
    """A photograph of people, the first one furthest away.

    Args:
        rng: of the background and of the noise.
        people: who stands where.
        width: of the picture, pixels.
        height: of the picture, pixels.
        gain: exposure, 1 as drawn, below 0.4 dark.
        noise: standard deviation of the camera's noise, 0 to 1 scale.
        background: (height, width, 3), 0 to 1; drawn if None.
    """
    picture = draw_background(rng, width, height) if background is None else background.copy()
    faces = [place_face(picture, p.face, p.identity, p.centre, p.height, p.role) for p in people]
    return Scene(finish(picture, rng, gain, noise), faces)
