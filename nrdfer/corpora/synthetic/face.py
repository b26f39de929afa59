"""Rendering of one face at one moment: layers painted from back to front on a turned head.

The geometry is `head`'s, the layers are `hair`'s, `skin`'s and `features`'. The position of the face in a picture
belongs to `scene`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from nrdfer.corpora.synthetic import features, hair, skin
from nrdfer.corpora.synthetic.background import Map
from nrdfer.corpora.synthetic.expression import ACTIONS, Action
from nrdfer.corpora.synthetic.head import SIDE, Head, Pose
from nrdfer.corpora.synthetic.identity import Identity
from nrdfer.corpora.synthetic.skin import Light

__all__ = ["SIDE", "Light", "Map", "Pose", "RenderedFace", "blur", "render_face"]

FacialAction = Action
FRONTAL = Pose()
DAYLIGHT = Light()


@dataclass(frozen=True, eq=False)
class RenderedFace:
    """A head on a transparent square of `size` pixels."""

    rgb: Map  # (S, S, 3), 0 to 1
    alpha: Map  # (S, S), 0 to 1
    points: Map  # (5, 2) x, y in pixels: image-left eye, right eye, nose, left and right mouth corner
    box: Map  # (4,) x1, y1, x2, y2 in pixels, forehead to chin


def render_face(
    identity: Identity, action: FacialAction, pose: Pose = FRONTAL, light: Light = DAYLIGHT, size: int = 144
) -> RenderedFace:
    """Render one head, the head's centre in the middle of the square (`SIDE` head units wide).

    Args:
        identity: who is seen.
        action: (9,) facial actions in the order of `ACTIONS`.
        pose: turn of the head.
        light: where the light comes from.
        size: side of the square, pixels; 96 to 192 is sensible, cost grows with its square.
    """
    head = Head(identity, dict(zip(ACTIONS, action.tolist(), strict=True)), pose, size)
    shade = skin.shading(head, light)
    outline = hair.paint_behind(head)
    skin.paint_neck(head, shade)
    skin.paint_ears(head, shade)
    skin.paint_skin(head, shade)
    features.paint_nose(head, shade)
    features.paint_mouth(head, shade)
    for side in (-1.0, 1.0):
        features.paint_eye(head, shade, side)
        features.paint_brow(head, side)
    if identity.glasses:
        features.paint_glasses(head)
    hair.paint_front(head, shade, outline)
    planes = [np.clip(plane * (tint * light.level), 0, 1) for plane, tint in zip(head.rgb, light.tint, strict=True)]
    rgb = cv2.merge(planes)
    return RenderedFace(np.asarray(rgb, np.float32), head.alpha, features.five_points(head), _box(head))


def _box(head: Head) -> Map:
    """Around what detectors call the face: from the forehead to just above the chin, without ears.

    The margins are those by which RetinaFace's boxes differ from the drawn outline, measured on 120 faces.
    """
    seen = (head.r2 < 1) & (head.y > max(head.who.hair_line, -0.31))
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    x1, y1, x2, y2 = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    tall = y2 - y1
    return np.array([x1 + 0.055 * tall, y1 - 0.045 * tall, x2 - 0.055 * tall, y2 - 0.065 * tall], np.float32)


def blur(picture: Map, sigma: float) -> Map:
    """Gaussian blur; `sigma` in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
