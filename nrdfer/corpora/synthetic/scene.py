"""Where faces stand: backgrounds, people placed on them, occlusion, darkness and camera noise.

Looks of a face belong to `face`, what happens over a clip to `clip`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.expression import ACTIONS, Action, act
from nrdfer.corpora.synthetic.face import Light, Map, Pose, RenderedFace, blur, render_face
from nrdfer.corpora.synthetic.identity import Identity, draw_identity
from nrdfer.emotions import EMOTIONS

Picture = npt.NDArray[np.uint8]
_HEAD = 1.15 / 0.9  # side of a rendered square in heights of the head


@dataclass(frozen=True, eq=False)
class SceneFace:
    """A face that can be seen in a scene, in the scene's pixels."""

    box: Map  # (4,) x1, y1, x2, y2
    points: Map  # (5, 2) x, y
    role: str  # target | other


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture (H, W, 3) uint8 RGB and the faces in it."""

    rgb: Picture
    faces: list[SceneFace]


def draw_background(rng: np.random.Generator, width: int, height: int) -> Map:
    """A room of soft colours with things in it, some the colour of skin and round: (H, W, 3), 0 to 1."""
    base = rng.uniform(0.1, 0.75, 3)
    cells = int(rng.integers(3, 9))
    coarse = np.clip(base + rng.normal(0, 0.14, (cells, cells, 3)), 0.02, 0.98).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(int(rng.integers(2, 9))):
        colour = np.clip(rng.uniform(0.05, 0.95, 3), 0, 1)
        if rng.random() < 0.3:
            colour = np.clip(np.array([0.75, 0.55, 0.45]) * rng.uniform(0.4, 1.2), 0, 1)
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        size = rng.uniform(0.03, 0.3, 2) * min(width, height)
        if rng.random() < 0.5:
            axes = (int(size[0]) + 2, int(size[1]) + 2)
            cv2.ellipse(
                picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1, cv2.LINE_AA
            )
        else:
            corner = (centre[0] + int(2 * size[0]) + 2, centre[1] + int(2 * size[1]) + 2)
            cv2.rectangle(picture, centre, corner, colour.tolist(), -1)
    return np.clip(blur(np.asarray(picture, np.float32), rng.uniform(0.8, 4.0)), 0, 1)


def place_face(
    picture: Map, face: RenderedFace, identity: Identity, centre: tuple[float, float], height: float
) -> SceneFace:
    """Paint a rendered head, with shoulders, onto `picture` (changed in place).

    Args:
        picture: (H, W, 3), 0 to 1.
        face: the rendered head.
        identity: whose shirt is seen.
        centre: of the head, pixels (x, y).
        height: of the head, pixels.
    """
    H, W = picture.shape[:2]
    size = face.alpha.shape[0]
    scale = height * _HEAD / size
    offset = np.array([centre[0], centre[1]]) - scale * (size - 1) / 2
    shoulders = (int(centre[0]), int(centre[1] + 1.02 * height))
    axes = (int(0.95 * height), int(0.5 * height))
    cv2.ellipse(picture, shoulders, axes, 0, 180, 360, identity.shirt.tolist(), -1, cv2.LINE_AA)
    if shoulders[1] < H:
        left, right = max(0, shoulders[0] - axes[0]), min(W, shoulders[0] + axes[0] + 1)
        picture[shoulders[1] :, left:right] = identity.shirt
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
        alpha = cv2.warpAffine(alpha, matrix, patch, flags=cv2.INTER_LINEAR)[..., None]
        below = picture[y0:y1, x0:x1]
        below += alpha * (rgb - below)
    points = (face.points * scale + offset).astype(np.float32)
    box = face.box * scale + np.concatenate([offset, offset])
    box = np.clip(box, 0, [W, H, W, H]).astype(np.float32)
    return SceneFace(box, points, "target")


def occlude(picture: Map, box: Map, rng: np.random.Generator, share: float) -> None:
    """Cover `share` of the height of a face with a thing, from below or above or the side (in place)."""
    x1, y1, x2, y2 = box
    w, h = x2 - x1, y2 - y1
    colour = rng.uniform(0.05, 0.9, 3).tolist()
    side = int(rng.integers(3))
    if side == 0:
        corners = (x1 - 0.1 * w, y2 - share * h), (x2 + 0.1 * w, y2 + 0.3 * h)
    elif side == 1:
        corners = (x1 - 0.1 * w, y1 - 0.3 * h), (x2 + 0.1 * w, y1 + share * h)
    else:
        corners = (x1 - 0.2 * w, y1 - 0.2 * h), (x1 + share * w, y2 + 0.2 * h)
    (ax, ay), (bx, by) = corners
    cv2.rectangle(picture, (int(ax), int(ay)), (int(bx), int(by)), colour, -1)
    for _ in range(3):
        shade = [min(1.0, max(0.0, c + float(rng.normal(0, 0.08)))) for c in colour]
        spot = (int(rng.uniform(ax, bx)), int(rng.uniform(ay, by)))
        cv2.circle(picture, spot, int(0.12 * w) + 1, shade, -1, cv2.LINE_AA)


def finish(picture: Map, rng: np.random.Generator, gain: float = 1.0, noise: float = 0.015) -> Picture:
    """The camera: exposure, sensor noise, 8 bits."""
    grain = rng.standard_normal(picture.shape[:2], dtype=np.float32)[..., None] * np.float32(noise)
    return (np.clip(picture * np.float32(gain) + grain, 0, 1) * 255 + 0.5).astype(np.uint8)


def draw_action(rng: np.random.Generator, identity: Identity) -> Action:
    """A random moment of a random expression."""
    emotion = EMOTIONS[int(rng.integers(len(EMOTIONS)))]
    style = rng.uniform(0.8, 1.2, len(ACTIONS)).astype(np.float32)
    flutter = rng.normal(0, 0.05, len(ACTIONS)).astype(np.float32)
    return act(identity, emotion, float(rng.uniform(0, 1.1)), style, flutter)


def draw_light(rng: np.random.Generator) -> Light:
    """A random light."""
    return Light(
        float(rng.uniform(-0.8, 0.8)),
        float(rng.uniform(-0.9, 0.2)),
        float(rng.uniform(0.4, 1.0)),
        float(rng.uniform(0.3, 0.65)),
    )


def _in_the_way(face: SceneFace, centre: tuple[float, float], height: float) -> bool:
    """Whether a person whose head is `height` pixels high would touch, or stand before, a face that is there."""
    dx, dy = face.points.mean(0) - centre
    near = np.hypot(dx, dy) < 0.75 * (height + face.box[3] - face.box[1])
    return bool(near or (dy > 0 and abs(dx) < 1.1 * height + 0.5 * (face.box[2] - face.box[0])))


def random_scene(rng: np.random.Generator, width: int, height: int, max_faces: int = 3) -> Scene:
    """A scene to train a detector on: up to `max_faces` faces of 24 to 260 pixels, some dark, blurred or covered."""
    picture = draw_background(rng, width, height)
    limit = min(width, height)
    placed: list[SceneFace] = []
    for _ in range(int(rng.integers(0, max_faces + 1))):
        tall = float(np.exp(rng.uniform(np.log(24), np.log(min(260.0, 0.75 * limit)))))
        centre = (
            float(rng.uniform(0.4 * tall, width - 0.4 * tall)),
            float(rng.uniform(0.5 * tall, height - 0.45 * tall)),
        )
        if any(_in_the_way(face, centre, tall) for face in placed):
            continue
        who = draw_identity(rng)
        pose = Pose(float(rng.normal(0, 0.3)), float(rng.normal(0, 0.15)), float(rng.normal(0, 0.2)))
        size = int(np.clip(tall * 1.3, 48, 160))
        face = render_face(who, draw_action(rng, who), pose, draw_light(rng), size)
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
    face = render_face(who, draw_action(rng, who), pose, draw_light(rng), int(np.clip(tall * 1.3, 48, 160)))
    place_face(picture, face, who, centre, tall)
    return finish(picture, rng, float(rng.uniform(0.9, 1.2)), 0.006)
