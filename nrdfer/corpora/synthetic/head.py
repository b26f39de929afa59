"""The head as a shape in space: the mapping between pixels and places of the face, in both directions.

The head is a ball, stretched to a head's outline. A pixel is laid onto the ball, the ball is turned back, and what
comes out are the coordinates of the face as seen from the front; so features turn and shorten as they should.
What is painted there belongs to `skin`, `features` and `hair`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nrdfer.corpora.synthetic.background import Map
from nrdfer.corpora.synthetic.identity import Colour, Identity

Region = tuple[slice, slice]

SIDE = 1.24  # of the rendered square, head units
_FULL = 0.28  # of the lower half: 0 is an ellipse
_DROP = 0.12  # how far a fully open jaw lengthens the lower half of the head


@dataclass(frozen=True)
class Pose:
    """Turn of the head (radians: yaw to the viewer's right, pitch down, roll clockwise) and where the eyes look."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    gaze_x: float = 0.0  # -1 to 1, of the eye's opening
    gaze_y: float = 0.0


class Head:
    """Pixel maps of one head and the picture painted on it.

    Attributes:
        rgb: (3, S, S) picture, 0 to 1, planes of one colour (faster to paint); painters change it.
        alpha: (S, S) coverage, 0 to 1; painters change it.
        x, y: (S, S) head units in the plane of the picture, roll undone.
        u, v, z: (S, S) the same place on the ball (z towards the viewer).
        fx, fy: (S, S) place on the face as seen from the front, head units; ax is abs(fx).
        outline: (S, S) signed distance from the head's outline, about head units, negative inside.
    """

    def __init__(self, who: Identity, act: Mapping[str, float], pose: Pose, size: int) -> None:
        self.who, self.act, self.pose, self.size = who, act, pose, size
        self.scale = size / SIDE
        self.soft = 1.5 / self.scale
        self._cos = math.cos(pose.yaw), math.cos(pose.pitch), math.cos(pose.roll)
        self._sin = math.sin(pose.yaw), math.sin(pose.pitch), math.sin(pose.roll)
        self._drop = 1 + _DROP * max(act["jaw"], 0.0)
        grid = ((np.arange(size, dtype=np.float32) + 0.5) / size - 0.5) * np.float32(SIDE)
        row, column = grid[None, :], grid[:, None]
        self.x: Map = self._cos[2] * row + self._sin[2] * column
        self.y: Map = self._cos[2] * column - self._sin[2] * row
        below = np.maximum(self.y, 0) * (1 / (who.half_height * self._drop))
        # the lower half is fuller than an ellipse, and the chin narrows
        full = below * (1 - _FULL) + below * below * _FULL
        self.v: Map = np.minimum(self.y, 0) * (1 / who.half_height) + full
        narrow = 1 - who.jaw * np.minimum(below * below, 1)
        self.u: Map = self.x / (np.float32(who.half_width) * narrow)
        self.r2: Map = self.u * self.u + self.v * self.v
        self.z: Map = np.sqrt(np.maximum(1 - self.r2, 0))
        self.outline: Map = (np.sqrt(self.r2) - 1) * np.float32(who.half_width)
        self._turn_back()
        self.rgb: Map = np.zeros((3, size, size), np.float32)
        self.alpha: Map = np.zeros((size, size), np.float32)

    def _turn_back(self) -> None:
        (cy, cp, _), (sy, sp, _) = self._cos, self._sin
        u0 = cy * self.u - sy * self.z
        v0 = cp * self.v - sp * (sy * self.u + cy * self.z)
        self.fx: Map = u0 * np.float32(self.who.half_width)
        self.ax: Map = np.abs(self.fx)
        half = (1 - _FULL) / (2 * _FULL)
        below = (np.sqrt(np.maximum(v0, 0) * (1 / _FULL) + half * half) - half) * np.float32(self._drop)
        self.fy: Map = (np.minimum(v0, 0) + below) * np.float32(self.who.half_height)

    def project(self, fx: float, fy: float) -> tuple[float, float]:
        """Pixel position (x, y) of a place of the face."""
        who, (cy, cp, cr), (sy, sp, sr) = self.who, self._cos, self._sin
        low = who.half_height * self._drop
        u, v = fx / who.half_width, fy / who.half_height
        if fy > 0:
            v = (1 - _FULL) * fy / low + _FULL * (fy / low) ** 2
        z = math.sqrt(max(0.0, 1 - u * u - v * v))
        v1, z1 = cp * v + sp * z, cp * z - sp * v
        u1 = cy * u + sy * z1
        half = (1 - _FULL) / (2 * _FULL)
        below = math.sqrt(max(v1, 0.0) / _FULL + half * half) - half
        x = u1 * who.half_width * (1 - who.jaw * min(below * below, 1))
        y = v1 * who.half_height if v1 < 0 else below * low
        px, py = cr * x - sr * y, sr * x + cr * y
        return px * self.scale + self.size / 2 - 0.5, py * self.scale + self.size / 2 - 0.5

    def near(self, fx: float, fy: float, rx: float, ry: float) -> Region:
        """The part of the picture that shows everything within `rx`, `ry` of a place of the face."""
        px, py = self.project(fx, fy)
        turn = abs(self._sin[2])
        reach_x = int((rx + ry * turn) * self.scale) + 2
        reach_y = int((ry + rx * turn) * self.scale) + 2
        x, y = int(px), int(py)
        return (
            slice(max(0, y - reach_y), max(0, min(self.size, y + reach_y + 1))),
            slice(max(0, x - reach_x), max(0, min(self.size, x + reach_x + 1))),
        )

    def edge(self, distance: Map, width: float = 1.0) -> Map:
        """Coverage of a shape from its signed distance in head units; `width` widens the edge."""
        coverage: Map = np.clip(0.5 - distance * (1 / (self.soft * width)), 0, 1)
        return coverage

    def paint(self, where: Region, mask: Map, colour: Map | float) -> None:
        """Lay `colour` over the picture where `mask` says; (3,), (3, h, w), (h, w) or a grey."""
        below = self.rgb[:, where[0], where[1]]
        if isinstance(colour, np.ndarray) and colour.ndim == 1:
            colour = colour[:, None, None]
        below += mask * (colour - below)


def times(colour: Colour, tone: Map) -> Map:
    """A colour (3,) under the light `tone` (h, w): (3, h, w)."""
    lit: Map = colour[:, None, None] * tone
    return lit
