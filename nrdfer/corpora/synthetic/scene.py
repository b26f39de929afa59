"""Pictures of people: heads placed on backgrounds, occlusions, and random scenes for training networks.

Looks of a face belong to `face`, what happens over a clip to `timeline` and `clips`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.background import draw_background
from nrdfer.corpora.synthetic.camera import Picture, finish
from nrdfer.corpora.synthetic.expression import ACTIONS, Action, act
from nrdfer.corpora.synthetic.face import SIDE, Light, Map, Pose, RenderedFace, blur, render_face
from nrdfer.corpora.synthetic.identity import Identity, draw_identity

Role = Literal["target", "other"]
HEAD = SIDE / 0.9  # side of a rendered square in heights of the head


@dataclass(frozen=True, eq=False)
class SceneFace:
    """A face that can be seen in a scene, in the scene's pixels."""

    box: Map  # (4,) x1, y1, x2, y2
    points: Map  # (5, 2) x, y: image-left eye, right eye, nose, left and right mouth corner
    role: Role


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture (H, W, 3) uint8 RGB and the faces in it."""

    rgb: Picture
    faces: list[SceneFace]


def place_face(
    picture: Map,
    face: RenderedFace,
    identity: Identity,
    centre: tuple[float, float],
    height: float,
    role: Role = "target",
) -> SceneFace:
    """Paint a rendered head, with shoulders, onto `picture` (changed in place).

    Args:
        picture: (H, W, 3), 0 to 1.
        face: the rendered head.
        identity: whose shirt is seen.
        centre: of the head, pixels (x, y).
        height: of the head, pixels.
        role: the clip's person, or someone else.
    """
    H, W = picture.shape[:2]
    size = face.alpha.shape[0]
    scale = height * HEAD / size
    offset = np.array([centre[0], centre[1]]) - scale * (size - 1) / 2
    _shoulders(picture, identity, centre, height)
    x0, y0 = (max(0, int(v) - 1) for v in offset)
    x1, y1 = min(W, int(offset[0] + scale * size) + 2), min(H, int(offset[1] + scale * size) + 2)
    if x1 > x0 and y1 > y0:
        if scale < 0.6:  # shrink by area first, or thin features alias
            small = max(8, round(size * scale))
            rgb = cv2.resize(face.rgb, (small, small), interpolation=cv2.INTER_AREA)
            alpha = cv2.resize(face.alpha, (small, small), interpolation=cv2.INTER_AREA)
            step = scale * size / small
        else:
            rgb, alpha, step = face.rgb, face.alpha, scale
        inner = offset + 0.5 * step - 0.5 * scale
        matrix = np.array([[step, 0, inner[0] - x0], [0, step, inner[1] - y0]])
        patch = (x1 - x0, y1 - y0)
        rgb = cv2.warpAffine(rgb, matrix, patch, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpAffine(alpha, matrix, patch, flags=cv2.INTER_LINEAR)
        below = picture[y0:y1, x0:x1]
        below += cv2.merge((alpha, alpha, alpha)) * (rgb - below)
    points = (face.points * scale + offset).astype(np.float32)
    box = np.clip(face.box * scale + np.concatenate([offset, offset]), 0, [W, H, W, H]).astype(np.float32)
    return SceneFace(box, points, role)


def _shoulders(picture: Map, who: Identity, centre: tuple[float, float], height: float) -> None:
    rows, columns = picture.shape[:2]
    x, y = int(centre[0]), int(centre[1] + 1.08 * height)
    wide, tall = int(0.95 * height), int(0.5 * height)
    dark = (who.shirt * np.float32(0.75)).tolist()
    cv2.ellipse(picture, (x, y), (wide, tall), 0, 180, 360, dark, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y), (int(0.86 * wide), tall), 0, 180, 360, who.shirt.tolist(), -1, cv2.LINE_AA)
    if y < rows:
        picture[max(0, y) :, max(0, x - wide) : min(columns, x + wide + 1)] = who.shirt


def occlude(picture: Map, box: Map, rng: np.random.Generator, share: float) -> None:
    """Cover about `share` of a face with an object, from below, above or a side (in place)."""
    x1, y1, x2, y2 = (float(v) for v in box)
    w, h = x2 - x1, y2 - y1
    colour = rng.uniform(0.05, 0.9, 3)
    side = int(rng.integers(4))
    if side == 0:
        ax, ay, bx, by = x1 - 0.15 * w, y2 - share * h, x2 + 0.15 * w, y2 + 0.4 * h
    elif side == 1:
        ax, ay, bx, by = x1 - 0.15 * w, y1 - 0.4 * h, x2 + 0.15 * w, y1 + share * h
    elif side == 2:
        ax, ay, bx, by = x1 - 0.3 * w, y1 - 0.3 * h, x1 + share * w, y2 + 0.3 * h
    else:
        ax, ay, bx, by = x2 - share * w, y1 - 0.3 * h, x2 + 0.3 * w, y2 + 0.3 * h
    cv2.rectangle(picture, (int(ax), int(ay)), (int(bx), int(by)), colour.tolist(), -1)
    for _ in range(4):  # folds and patches, so that it is not a flat area
        shade = np.clip(colour + rng.normal(0, 0.1), 0, 1).tolist()
        spot = (int(rng.uniform(ax, bx)), int(rng.uniform(ay, by)))
        axes = (int(rng.uniform(0.05, 0.2) * w) + 1, int(rng.uniform(0.05, 0.3) * h) + 1)
        cv2.ellipse(picture, spot, axes, float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)


def draw_action(rng: np.random.Generator, identity: Identity) -> Action:
    """A random moment of a random expression."""
    emotion = EMOTIONS[int(rng.integers(len(EMOTIONS)))]
    style = rng.uniform(0.8, 1.2, len(ACTIONS)).astype(np.float32)
    flutter = rng.normal(0, 0.05, len(ACTIONS)).astype(np.float32)
    return act(identity, emotion, float(rng.uniform(0, 1.1)), style, flutter)


def draw_light(rng: np.random.Generator) -> Light:
    """A random light: direction, share of light from everywhere, level and warmth."""
    warm = float(rng.normal(0, 0.05))
    return Light(
        float(rng.uniform(-0.8, 0.8)),
        float(rng.uniform(-0.9, 0.2)),
        float(rng.uniform(0.45, 1.0)),
        float(rng.uniform(0.35, 0.65)),
        float(rng.uniform(0.85, 1.15)),
        (1 + warm, 1.0, 1 - warm),
    )


def _in_the_way(face: SceneFace, centre: tuple[float, float], height: float) -> bool:
    """Whether a person whose head is `height` pixels high would touch or occlude an existing face."""
    dx, dy = face.points.mean(0) - centre
    near = np.hypot(dx, dy) < 0.75 * (height + face.box[3] - face.box[1])
    return bool(near or (dy > 0 and abs(dx) < 1.1 * height + 0.5 * (face.box[2] - face.box[0])))


def random_scene(rng: np.random.Generator, width: int, height: int, max_faces: int = 3) -> Scene:
    """A scene to train a detector on: up to `max_faces` heads of 24 to 300 pixels, some dark, blurred or covered."""
    picture = draw_background(rng, width, height)
    limit = min(width, height)
    placed: list[SceneFace] = []
    for _ in range(int(rng.integers(0, max_faces + 1))):
        tall = float(np.exp(rng.uniform(np.log(24), np.log(min(300.0, 0.85 * limit)))))
        centre = (
            float(rng.uniform(0.4 * tall, width - 0.4 * tall)),
            float(rng.uniform(0.5 * tall, height - 0.45 * tall)),
        )
        if any(_in_the_way(face, centre, tall) for face in placed):
            continue
        who = draw_identity(rng)
        pose = Pose(float(rng.normal(0, 0.3)), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.2)))
        face = render_face(who, draw_action(rng, who), pose, draw_light(rng), _size_for(tall))
        seen = place_face(picture, face, who, centre, tall)
        if rng.random() < 0.12:
            occlude(picture, seen.box, rng, float(rng.uniform(0.1, 0.3)))
        placed.append(seen)
    if rng.random() < 0.25:
        picture = blur(picture, float(rng.uniform(0.5, 1.6)))
    gain = float(rng.uniform(0.12, 0.6)) if rng.random() < 0.25 else float(rng.uniform(0.8, 1.3))
    tint = rng.uniform(0.88, 1.12, 3).astype(np.float32)
    rgb = finish(picture * tint, rng, gain, float(rng.uniform(0.004, 0.03)))
    if rng.random() < 0.5:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        rgb = np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, quality)[1], cv2.IMREAD_COLOR), np.uint8)
    return Scene(rgb, placed)


def random_face_crop(rng: np.random.Generator, size: int) -> Picture:
    """A well-lit face that fills most of the picture (size, size, 3) uint8 RGB: what the enhancer should restore."""
    picture = draw_background(rng, size, size)
    who = draw_identity(rng)
    pose = Pose(float(rng.normal(0, 0.25)), float(rng.normal(0, 0.12)), float(rng.normal(0, 0.1)))
    tall = size * float(rng.uniform(0.9, 1.25))
    centre = (size * float(rng.uniform(0.44, 0.56)), size * float(rng.uniform(0.44, 0.56)))
    face = render_face(who, draw_action(rng, who), pose, draw_light(rng), _size_for(tall))
    place_face(picture, face, who, centre, tall)
    return finish(picture, rng, float(rng.uniform(0.9, 1.2)), 0.006)


def _size_for(head_height: float) -> int:
    """Rendering size in pixels for a head that will be `head_height` pixels high."""
    return int(np.clip(head_height * HEAD, 48, 176))
