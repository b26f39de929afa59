"""Videos of rendered people in several shots, with the truth about who is where: for measuring how people are followed.

Each shot shows some of the people at other places, sizes and in another light; the camera drifts. Measuring belongs to
the callers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.corpora.synthetic.background import draw_background
from nrdfer.corpora.synthetic.camera import finish
from nrdfer.corpora.synthetic.expression import prototype
from nrdfer.corpora.synthetic.face import render_face
from nrdfer.corpora.synthetic.head import Pose
from nrdfer.corpora.synthetic.identity import Identity, draw_identity
from nrdfer.corpora.synthetic.scene import draw_light, place_face
from nrdfer.video.constant_rate_writer import VideoWriter

WIDTH, HEIGHT, FPS = 640, 360, 10
SHOT = 20  # frames
_EMOTIONS = ("happiness", "sadness", "neutral", "surprise")
_DRIFT = 14  # pixels that the camera moves at most in a shot
Box = tuple[float, float, float, float]
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Planted:
    """A video and the truth: for each frame, person -> box."""

    people: int
    cuts: int
    frames: tuple[dict[int, Box], ...]

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Planted:
        """Read what `write` wrote."""
        values = json.loads(path.read_text())
        frames = tuple({int(who): tuple(box) for who, box in frame.items()} for frame in values["frames"])
        return cls(values["people"], values["cuts"], frames)


def plant(path: Path, people: int, cuts: int, seed: int = 0, empty: int = 0) -> Planted:
    """Render a video of `people` in ``cuts + 1`` shots, and `empty` frames without anybody at its end.

    Person 0 is in every shot but, of three or more, the second one; everyone is in the first shot or the last.
    """
    rng = np.random.default_rng([seed, people, cuts])
    identities = _unlike(rng, people)
    frames: list[dict[int, Box]] = []
    with VideoWriter(path, WIDTH, HEIGHT, FPS, "mjpeg") as writer:
        for shot in range(cuts + 1):
            for picture, boxes in _shot(rng, identities, _cast(rng, people, cuts, shot)):
                writer.write(picture)
                frames.append(boxes)
        wall = finish(draw_background(rng, WIDTH, HEIGHT), rng)
        for _ in range(empty):
            writer.write(wall)
            frames.append({})
    return Planted(people, cuts, tuple(frames))


def _unlike(rng: np.random.Generator, people: int) -> list[Identity]:
    """People who differ in more than one thing: of four drawn for each, the one least like the others."""
    chosen: list[Identity] = [draw_identity(rng)]
    while len(chosen) < people:
        drawn = [draw_identity(rng) for _ in range(4)]
        distances = [min(float(np.abs(who.shirt - other.shirt).sum()) for other in chosen) for who in drawn]
        chosen.append(drawn[int(np.argmax(distances))])
    return chosen


def _cast(rng: np.random.Generator, people: int, cuts: int, shot: int) -> list[int]:
    """Who is in a shot."""
    if shot in (0, cuts):
        return list(range(people))
    others = [who for who in range(1, people) if rng.random() < 0.6]
    return others if shot == 1 else [0, *others]


def _shot(
    rng: np.random.Generator, identities: list[Identity], cast: list[int]
) -> Iterator[tuple[Picture, dict[int, Box]]]:
    """The pictures of one shot: four painted ones, each shown for some frames under a drifting camera."""
    background, light = draw_background(rng, WIDTH, HEIGHT), draw_light(rng)
    gain = float(rng.uniform(0.75, 1.1))
    order = rng.permutation(len(cast)).tolist()
    wide = WIDTH / max(1, len(cast))
    heights = rng.uniform(0.75, 1.0, len(cast)) * min(150.0, wide * 0.8)
    drift = rng.uniform(-_DRIFT, _DRIFT, 2)
    for part in range(4):
        picture = background.copy()
        boxes: dict[int, Box] = {}
        for place, number in enumerate(order):
            who = cast[number]
            emotion = _EMOTIONS[(who + part // 2) % len(_EMOTIONS)]
            pose = Pose(yaw=float(rng.uniform(-0.15, 0.15)))
            face = render_face(identities[who], np.float32(0.6) * prototype(emotion), pose, light, 160)
            centre = ((place + 0.5) * wide, HEIGHT * 0.45)
            placed = place_face(picture, face, identities[who], centre, float(heights[number]))
            x1, y1, x2, y2 = (float(v) for v in placed.box)
            boxes[who] = (x1, y1, x2, y2)
        photograph = finish(picture, rng, gain)
        for step in range(SHOT // 4):
            dx, dy = drift * (part * SHOT // 4 + step) / SHOT
            matrix = np.array([[1, 0, dx], [0, 1, dy]])
            moved = cv2.warpAffine(photograph, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)
            yield (
                np.asarray(moved, np.uint8),
                {who: (a + dx, b + dy, c + dx, d + dy) for who, (a, b, c, d) in boxes.items()},
            )
