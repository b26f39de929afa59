"""How a face looks: an ellipsoid head, turned in space, with shaded skin and drawn features.

Features live in the head's own coordinates; every pixel is turned back onto the unturned head, so that turning the
head moves and shortens features as it should. Where the face stands in a picture belongs to `scene`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from nrdfer.corpora.synthetic.expression import ACTIONS, Action
from nrdfer.corpora.synthetic.identity import Identity

Map = npt.NDArray[np.float32]
_EYE_Y, _NOSE_Y = -0.055, 0.065


@dataclass(frozen=True)
class Pose:
    """Turn of the head, radians: yaw to the right, pitch down, roll clockwise."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True)
class Light:
    """Direction the light comes from (x right, y down, z towards the viewer), and how much is everywhere."""

    x: float = -0.3
    y: float = -0.5
    z: float = 0.8
    ambient: float = 0.4


@dataclass(frozen=True, eq=False)
class RenderedFace:
    """A head on a transparent square of `size` pixels."""

    rgb: Map  # (S, S, 3), 0 to 1
    alpha: Map  # (S, S), 0 to 1
    points: Map  # (5, 2) x, y in pixels: image-left eye, right eye, nose, left and right mouth corner
    box: Map  # (4,) x1, y1, x2, y2 in pixels, forehead to chin


def render_face(
    identity: Identity, action: Action, pose: Pose = Pose(), light: Light = Light(), size: int = 144
) -> RenderedFace:
    """Render one head; the square is 1.15 head units wide, the head's centre in its middle."""
    canvas = _Canvas(identity, dict(zip(ACTIONS, action.tolist(), strict=True)), pose, light, size)
    canvas.draw()
    return RenderedFace(np.clip(canvas.rgb, 0, 1), canvas.alpha, canvas.points(), canvas.box())


class _Canvas:
    """The state of one rendering; methods draw from back to front."""

    def __init__(self, who: Identity, act: dict[str, float], pose: Pose, light: Light, size: int) -> None:
        self.who, self.act, self.pose, self.light, self.size = who, act, pose, light, size
        grid = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
        x, y = np.meshgrid(grid * 1.15, grid * 1.15)
        cos, sin = np.float32(np.cos(pose.roll)), np.float32(np.sin(pose.roll))
        self.x, self.y = cos * x + sin * y, cos * y - sin * x
        self.soft = 1.6 * 1.15 / size  # width of an edge
        self.rgb: Map = np.zeros((size, size, 3), np.float32)
        self.alpha: Map = np.zeros((size, size), np.float32)
        jaw = max(act["jaw"], 0.0)
        self.hw, self.hh = who.half_width, who.half_height
        # The chin narrows and drops with the jaw; above the eyes the head is a plain ellipse.
        below = np.clip(self.y / self.hh, 0, 1)
        u = self.x / (self.hw * (1 - who.jaw * below**2))
        v = self.y / (self.hh + 0.05 * jaw * (self.y > 0))
        self.r2 = u * u + v * v
        z = np.sqrt(np.clip(1 - self.r2, 0, 1))
        self.normal = (u, v, z)
        self.fx, self.fy = self._turn_back(u, v, z)

    def _turn_back(self, u: Map, v: Map, z: Map) -> tuple[Map, Map]:
        cy, sy = np.float32(np.cos(self.pose.yaw)), np.float32(np.sin(self.pose.yaw))
        cp, sp = np.float32(np.cos(self.pose.pitch)), np.float32(np.sin(self.pose.pitch))
        u0, z0 = cy * u - sy * z, sy * u + cy * z
        v0 = cp * v - sp * z0
        return u0 * np.float32(self.hw), v0 * np.float32(self.hh)

    def project(self, fx: float, fy: float) -> tuple[float, float]:
        """Pixel position of a place on the unturned head."""
        u, v = fx / self.hw, fy / self.hh
        z = float(np.sqrt(max(0.0, 1 - u * u - v * v)))
        cy, sy = np.cos(self.pose.yaw), np.sin(self.pose.yaw)
        cp, sp = np.cos(self.pose.pitch), np.sin(self.pose.pitch)
        v1, z1 = cp * v + sp * z, -sp * v + cp * z
        u1 = cy * u + sy * z1
        below = min(max(v1, 0.0), 1.0)
        x, y = u1 * self.hw * (1 - self.who.jaw * below**2), v1 * self.hh
        y += 0.05 * max(self.act["jaw"], 0.0) * v1 * (v1 > 0)
        cos, sin = np.cos(self.pose.roll), np.sin(self.pose.roll)
        xr, yr = cos * x - sin * y, sin * x + cos * y
        scale = self.size / 1.15
        return float(xr * scale + self.size / 2 - 0.5), float(yr * scale + self.size / 2 - 0.5)

    def points(self) -> Map:
        who, mouth = self.who, self._mouth()
        corner = mouth["width"] * 0.97
        corner_y = mouth["y"] - 0.055 * self.act["smile"] * 0.5
        places = [
            (-who.eye_distance, _EYE_Y),
            (who.eye_distance, _EYE_Y),
            (0.0, _NOSE_Y * who.nose_length),
            (-corner, corner_y),
            (corner, corner_y),
        ]
        return np.array([self.project(*place) for place in places], np.float32)

    def box(self) -> Map:
        rows, columns = np.nonzero((self.r2 < 1) & (self.y > self.who.hair_line * 1.05))
        return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)

    def _edge(self, distance: Map, width: float = 1.0) -> Map:
        """Coverage of a shape from its signed distance (negative inside)."""
        return np.clip(0.5 - distance / np.float32(self.soft * width), 0, 1)

    def _paint(self, where: Any, mask: Map, colour: Any) -> None:
        self.rgb[where] += mask[..., None] * (colour - self.rgb[where])

    def _near(self, cx: float, cy: float, rx: float, ry: float) -> tuple[Any, Map, Map]:
        """The part of the picture near a place of the head, and the head coordinates there."""
        px, py = self.project(cx, cy)
        scale = self.size / 1.15
        reach = int(np.hypot(rx, ry) * scale) + 2
        x0, x1 = max(0, int(px) - reach), min(self.size, int(px) + reach + 1)
        y0, y1 = max(0, int(py) - reach), min(self.size, int(py) + reach + 1)
        where = (slice(y0, y1), slice(x0, x1))
        return where, self.fx[where], self.fy[where]

    def draw(self) -> None:
        self._hair_behind()
        self._skin()
        self._hair_front()
        for side in (-1.0, 1.0):
            self._eye(side)
            self._brow(side)
        self._nose()
        self._mouth_parts()
        if self.who.glasses:
            self._glasses()

    def _hair_behind(self) -> None:
        volume = np.float32(self.who.hair_volume)
        d = np.sqrt((self.x / (self.hw * volume)) ** 2 + ((self.y + 0.05) / (self.hh * 1.06)) ** 2) - 1
        d = np.maximum(d * 0.4, self.y - 0.12)
        mask = self._edge(d)
        self.rgb[...] = self.who.hair * 0.7
        neck = self._edge(np.maximum(np.abs(self.x) - 0.14, 0.2 - self.y))
        self._paint((), neck, self.who.skin * 0.62)
        self._paint((), mask * (1 - neck), self.who.hair * 0.7)
        self.alpha = np.maximum(mask, neck)

    def _skin(self) -> None:
        u, v, z = self.normal
        n = np.stack([u * 0.9, v * 0.75, z + 0.3], -1)
        n /= np.linalg.norm(n, axis=-1, keepdims=True)
        to_light = np.array([self.light.x, self.light.y, self.light.z], np.float32)
        to_light /= np.linalg.norm(to_light)
        self.shade = self.light.ambient + (1.05 - self.light.ambient) * np.clip(n @ to_light, 0, 1)
        tone = self.shade.copy()
        fx, fy, act = self.fx, self.fy, self.act
        ax = np.abs(fx)
        tone *= 1 - 0.2 * np.exp(-(((ax - self.who.eye_distance) / 0.075) ** 2) - ((fy - _EYE_Y) / 0.05) ** 2)
        # Folds from the nose to the mouth, deeper with a smile or a wrinkled nose.
        fold = ax - (0.07 + 0.4 * np.clip(fy - 0.07, 0, 0.12)) - 0.02 * act["cheek"]
        depth = 0.08 + 0.2 * max(act["smile"], 0) + 0.28 * max(act["wrinkle"], 0)
        tone *= 1 - depth * np.exp(-((fold / 0.012) ** 2)) * ((fy > 0.06) & (fy < 0.19))
        if act["wrinkle"] > 0.15:  # across the nose's root
            for k in range(3):
                line = np.exp(-(((fy + 0.045 - 0.022 * k) / 0.006) ** 2) - (fx / 0.035) ** 2)
                tone *= 1 - 0.45 * min(act["wrinkle"], 1) * line
        if act["brow_lower"] > 0.1:  # between the brows
            line = np.exp(-(((ax - 0.02) / 0.008) ** 2) - ((fy + 0.115) / 0.035) ** 2)
            tone *= 1 - 0.5 * min(act["brow_lower"], 1) * line
        if act["brow_raise"] > 0.3:  # across the forehead
            for k in range(3):
                line = np.exp(-(((fy + 0.205 + 0.03 * k + 0.25 * fx**2) / 0.006) ** 2)) * (ax < 0.18)
                tone *= 1 - 0.2 * min(act["brow_raise"], 1) * line
        skin = self.who.skin * tone[..., None]
        blush = np.exp(-(((ax - 0.19) / 0.06) ** 2) - ((fy - 0.09) / 0.06) ** 2)
        skin[..., 0] += (0.03 + 0.04 * max(act["cheek"], 0)) * blush
        if self.who.beard > 0:
            chin = self._edge(0.13 - fy + 0.5 * np.maximum(0, 0.12 - ax), 10) * self.who.beard
            skin += chin[..., None] * 0.8 * (self.who.hair * tone[..., None] - skin)
        mask = self._edge((np.sqrt(self.r2) - 1) * np.float32(self.hw))
        self._paint((), mask, skin)
        self.alpha = np.maximum(self.alpha, mask)

    def _hair_front(self) -> None:
        edge = self.who.hair_line + 0.75 * self.fx**2
        d = np.maximum(self.fy - edge, (np.sqrt(self.r2) - 1.06) * 0.4)
        self._paint((), self._edge(d, 2), self.who.hair * (0.35 + 0.65 * self.shade[..., None]))

    def _eye(self, side: float) -> None:
        cx = side * self.who.eye_distance
        where, fx, fy = self._near(cx, _EYE_Y, 0.09, 0.07)
        width = 0.056 * self.who.eye_size
        open_ = max(0.12, 1 + self.act["eye_open"])
        e = np.clip(1 - ((fx - cx) / width) ** 2, 0, 1)
        root = np.sqrt(e)
        upper = _EYE_Y - 0.027 * self.who.eye_size * open_ * root
        lower = _EYE_Y + (0.02 - 0.01 * max(self.act["cheek"], 0)) * self.who.eye_size * root * min(
            1.0, 0.4 + 0.6 * open_
        )
        outside = np.where(e > 0, 0.0, 0.05).astype(np.float32)
        opening = self._edge(np.maximum(upper - fy, fy - lower) + outside)
        shade = self.shade[where][..., None]
        self._paint(where, opening, np.float32(0.9) * (0.3 + 0.7 * shade))
        r = np.hypot(fx - cx, fy - _EYE_Y + 0.003)
        self._paint(where, opening * self._edge(r - 0.0235), self.who.iris)
        self._paint(where, opening * self._edge(r - 0.0105), np.float32(0.02))
        spark = np.hypot(fx - cx + 0.008, fy - _EYE_Y + 0.01)
        self._paint(where, opening * self._edge(spark - 0.004), np.float32(0.95))
        lash = self._edge(np.abs(fy - upper) - 0.005 + outside)
        self._paint(where, 0.9 * lash, self.who.hair * 0.3)
        crease = self._edge(np.abs(fy - upper + 0.02) - 0.002 + outside)
        self._paint(where, 0.45 * crease, self.who.skin * 0.4)
        under = self._edge(np.abs(fy - lower) - 0.002 + outside)
        self._paint(where, 0.5 * under, self.who.skin * 0.4)

    def _brow(self, side: float) -> None:
        act, who = self.act, self.who
        cx = side * (who.eye_distance - 0.012 * max(act["brow_lower"], 0))
        where, fx, fy = self._near(cx, who.brow_height, 0.12, 0.12)
        t = np.clip((side * (fx - cx)) / 0.078, -1.2, 1.2)  # -1 at the nose, 1 at the temple
        inner = np.clip((0.4 - t) / 1.4, 0, 1)
        height = who.brow_height - 0.045 * act["brow_raise"] + 0.018 * max(act["brow_lower"], 0)
        line = (
            height + 0.016 * t**2 - 0.045 * act["brow_inner"] * inner + 0.01 * act["brow_inner"] * (1 - inner)
        )
        ends = np.where(np.abs(t) < 1.05, 0.0, 0.05).astype(np.float32)
        d = np.abs(fy - line) - who.brow_thickness * (1 - 0.4 * np.clip(t, 0, 1)) + ends
        self._paint(where, 0.85 * self._edge(d, 1.3), who.hair * 0.6)

    def _nose(self) -> None:
        tip = _NOSE_Y * self.who.nose_length
        lift = 0.012 * max(self.act["wrinkle"], 0)
        where, fx, fy = self._near(0.0, tip, 0.1, 0.14)
        ridge = np.exp(-(((np.abs(fx) - 0.03) / 0.012) ** 2)) * ((fy > -0.06) & (fy < tip))
        self._paint(where, 0.13 * ridge.astype(np.float32), self.who.skin * 0.3)
        self._paint(
            where, 0.22 * np.exp(-((fx / 0.018) ** 2) - ((fy - tip + 0.02) / 0.03) ** 2), np.float32(1.0)
        )
        under = np.exp(-((fx / 0.045) ** 2) - ((fy - tip - 0.024 + lift) / 0.011) ** 2)
        self._paint(where, 0.4 * under, self.who.skin * 0.3)
        hole = np.exp(-(((np.abs(fx) - 0.024) / 0.011) ** 2) - ((fy - tip - 0.014 + lift) / 0.008) ** 2)
        self._paint(where, 0.75 * hole, self.who.skin * 0.12)

    def _mouth(self) -> dict[str, float]:
        smile, jaw = self.act["smile"], max(self.act["jaw"], 0.0)
        width = self.who.mouth_width * (1 + 0.32 * max(smile, 0) - 0.06 * max(-smile, 0))
        if smile < 0.3:
            width *= 1 - 0.2 * jaw
        return {"width": width, "y": self.who.mouth_height - 0.012 * max(self.act["wrinkle"], 0)}

    def _mouth_parts(self) -> None:
        act, mouth = self.act, self._mouth()
        jaw = max(act["jaw"], 0.0)
        where, fx, fy = self._near(0.0, mouth["y"], 0.15, 0.13)
        t = fx / np.float32(mouth["width"])
        inside = np.clip(1 - t * t, 0, 1)
        outside = np.where(np.abs(t) < 1, 0.0, 0.05).astype(np.float32)
        middle = mouth["y"] - 0.055 * act["smile"] * (t * t - 0.45)
        gap = 0.062 * jaw * inside**0.6
        full = 1 - 0.65 * np.clip(act["press"], 0, 1)
        upper, lower = middle - 0.35 * gap, middle + 0.85 * gap
        cupid = 1 - 0.25 * np.exp(-((t / 0.18) ** 2))
        top = upper - 0.021 * full * inside**0.5 * cupid
        bottom = lower + 0.026 * full * inside**0.5
        shade = self.shade[where][..., None]
        self._paint(
            where,
            self._edge(np.maximum(top - fy, fy - bottom) + outside),
            self.who.lips * (0.3 + 0.7 * shade),
        )
        hole = self._edge(np.maximum(upper - fy, fy - lower) + outside + 0.001)
        self._paint(where, hole, np.array([0.16, 0.05, 0.05], np.float32))
        if jaw > 0.12:
            teeth = self._edge(np.maximum(upper - fy, fy - upper - 0.02) + np.where(np.abs(t) < 0.8, 0, 0.05))
            self._paint(where, teeth.astype(np.float32) * hole, np.array([0.9, 0.88, 0.84], np.float32))
        line = self._edge(np.abs(fy - middle) - 0.0025 + outside)
        self._paint(where, 0.6 * line * (1 - hole), self.who.lips * 0.35)
        shadow = np.exp(-((t / 0.6) ** 2) - ((fy - bottom - 0.02) / 0.012) ** 2)
        self._paint(where, 0.25 * shadow.astype(np.float32), self.who.skin * 0.4)

    def _glasses(self) -> None:
        for side in (-1.0, 1.0):
            cx = side * self.who.eye_distance
            where, fx, fy = self._near(cx, _EYE_Y, 0.1, 0.09)
            r = np.sqrt(((fx - cx) / 0.085) ** 2 + ((fy - _EYE_Y) / 0.062) ** 2)
            self._paint(where, 0.9 * self._edge(np.abs(r - 1) * 0.07 - 0.005), np.float32(0.08))
        where, fx, fy = self._near(0.0, _EYE_Y, 0.08, 0.03)
        bridge = self._edge(np.maximum(np.abs(fx) - 0.06, np.abs(fy - _EYE_Y) - 0.004))
        self._paint(where, 0.9 * bridge, np.float32(0.08))


def blur(picture: Map, sigma: float) -> Map:
    """Gaussian blur; `sigma` in pixels."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)
