"""Skin: light on the head, folds and lines of expression or age, cheeks, beard, ears and neck."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nrdfer.corpora.synthetic.background import Map
from nrdfer.corpora.synthetic.head import Head, Region, times

EYE_Y = -0.055  # of the middle of the eyes


@dataclass(frozen=True)
class Light:
    """Direction of the light (x right, y down, z towards the viewer), ambient share, level and colour."""

    x: float = -0.3
    y: float = -0.5
    z: float = 0.8
    ambient: float = 0.4
    level: float = 1.0
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


def shading(head: Head, light: Light) -> Map:
    """Brightness of each place of the head, (S, S), about 0.3 to 1.1."""
    nx, ny, nz = head.u * 0.9, head.v * 0.75, head.z + 0.3
    length = np.float32((light.x**2 + light.y**2 + light.z**2) ** 0.5)
    lit = (nx * light.x + ny * light.y + nz * light.z) / (np.sqrt(nx * nx + ny * ny + nz * nz) * length + 1e-6)
    shade: Map = light.ambient + (1.05 - light.ambient) * np.maximum(lit, 0)
    return shade


def paint_neck(head: Head, shade: Map) -> None:
    """Neck, in the shadow of the chin."""
    who = head.who
    where = (slice(head.size // 2, head.size), slice(0, head.size))
    x, y = head.x[where], head.y[where]
    mask = head.edge(np.maximum(np.abs(x) - 0.56 * who.half_width - 0.15 * np.maximum(y - 0.5, 0), 0.1 - y))
    lit = 0.5 + 0.25 * np.clip((y - 0.45) * 5, 0, 1) - 0.25 * (x / who.half_width) ** 2
    head.paint(where, mask, times(who.skin, lit))
    head.alpha[where] = np.maximum(head.alpha[where], mask)


def paint_ears(head: Head, shade: Map) -> None:
    """Ears; the far one vanishes as the head turns."""
    who = head.who
    for side in (-1.0, 1.0):
        if side * head.pose.yaw > 0.3 or who.hair_cut in ("long", "medium"):
            continue
        cx = side * who.half_width
        where = _plane(head, cx, 0.0, 0.07, 0.12)
        x, y = head.x[where], head.y[where]
        r = np.sqrt(((x - cx) / 0.045) ** 2 + ((y - 0.005) / 0.088) ** 2)
        mask = head.edge((r - 1) * 0.045)
        tone = 0.72 - 0.25 * np.exp(-(((x - cx - side * 0.008) / 0.02) ** 2) - ((y - 0.005) / 0.045) ** 2)
        head.paint(where, mask, times(who.skin, tone))
        head.alpha[where] = np.maximum(head.alpha[where], mask)


def _plane(head: Head, cx: float, cy: float, rx: float, ry: float) -> Region:
    """The part of the picture around a place in the plane of the picture."""
    (_, _, cr), (_, _, sr) = head._cos, head._sin
    px = (cr * cx - sr * cy) * head.scale + head.size / 2
    py = (sr * cx + cr * cy) * head.scale + head.size / 2
    reach = int(max(rx, ry) * 1.2 * head.scale) + 2
    return (
        slice(max(0, int(py) - reach), min(head.size, int(py) + reach)),
        slice(max(0, int(px) - reach), min(head.size, int(px) + reach)),
    )


def paint_skin(head: Head, shade: Map) -> None:
    """The face without eyes, brows, nose and mouth."""
    who, act = head.who, head.act
    rows = np.flatnonzero((head.outline < head.soft).any(1))
    columns = np.flatnonzero((head.outline < head.soft).any(0))
    where = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    tone = shade.copy()
    for side in (-1.0, 1.0):
        _socket(head, tone, side)
        _cheek_fold(head, tone, side)
    _root_of_the_nose(head, tone)
    _forehead(head, tone)
    tone = tone[where]
    # shadows are warmer than light
    skin = times(who.skin * np.array([0.94, 1.0, 1.03], np.float32), tone)
    skin += (who.skin * np.array([0.05, 0.0, -0.02], np.float32))[:, None, None]
    fx, fy = head.ax[where], head.fy[where]
    blush = np.exp(-(((fx - 0.19) / 0.065) ** 2) - ((fy - 0.095) / 0.06) ** 2)
    skin[0] += (0.02 + 0.05 * max(act["cheek"], 0)) * blush
    skin[1] -= 0.015 * blush
    if who.beard or who.moustache:
        _beard(head, where, skin, tone)
    mask = head.edge(head.outline[where])
    head.paint(where, mask, skin)
    head.alpha[where] = np.maximum(head.alpha[where], mask)


def _socket(head: Head, tone: Map, side: float) -> None:
    who, act = head.who, head.act
    cx = side * who.eye_distance
    where = head.near(cx, EYE_Y + 0.01, 0.16, 0.14)
    fx, fy = head.fx[where] - cx, head.fy[where]
    tone[where] *= 1 - 0.2 * np.exp(-((fx / 0.08) ** 2) - ((fy - EYE_Y + 0.012) / 0.05) ** 2)
    bag = 0.06 + 0.18 * who.age + 0.16 * max(act["cheek"], 0)
    tone[where] *= 1 - bag * np.exp(-((fx / 0.055) ** 2) - ((fy - EYE_Y - 0.042 + 2.0 * fx * fx) / 0.011) ** 2)
    if act["cheek"] > 0.2 or who.age > 0.5:  # beside the eyes
        depth = 0.3 * max(act["cheek"], 0) + 0.15 * who.age
        out = side * fx - 0.075
        line = np.exp(-(((np.abs(fy - EYE_Y - 0.012 + 0 * out) - 0.35 * np.abs(out) - 0.006) / 0.008) ** 2))
        tone[where] *= 1 - depth * line * ((out > 0) & (out < 0.05))


def _cheek_fold(head: Head, tone: Map, side: float) -> None:
    """The fold from the nose to the corner of the mouth; deeper with a smile or a wrinkled nose."""
    who, act = head.who, head.act
    where = head.near(side * 0.11, 0.14, 0.11, 0.11)
    fx, fy = side * head.fx[where], head.fy[where]
    course = (
        0.056 * who.nose_width
        + 0.42 * np.clip(fy - 0.075, 0, 0.16)
        + 0.025 * (max(act["cheek"], 0) + max(act["smile"], 0))
    )
    depth = (
        0.05
        + 0.16 * who.age
        + 0.26 * max(act["smile"], 0)
        + 0.34 * max(act["wrinkle"], 0)
        + 0.12 * max(-act["smile"], 0)
    )
    fade = np.clip((fy - 0.06) * 40, 0, 1) * np.clip((0.235 - fy) * 25, 0, 1)
    tone[where] *= 1 - min(depth, 0.6) * fade * np.exp(-(((fx - course) / 0.013) ** 2))


def _root_of_the_nose(head: Head, tone: Map) -> None:
    act = head.act
    where = head.near(0.0, -0.08, 0.09, 0.12)
    ax, fy = head.ax[where], head.fy[where]
    if act["wrinkle"] > 0.1:
        bars = np.cos((fy + 0.045) * (2 * np.pi / 0.03)) * 0.5 + 0.5
        fade = np.exp(-((ax / 0.042) ** 4) - ((fy + 0.03) / 0.042) ** 4)
        tone[where] *= 1 - 0.5 * min(act["wrinkle"], 1.2) * bars * fade
    if act["brow_lower"] > 0.08:
        line = np.exp(-(((ax - 0.021) / 0.010) ** 2) - ((fy + 0.118) / 0.036) ** 2)
        tone[where] *= 1 - 0.55 * min(act["brow_lower"], 1.1) * line


def _forehead(head: Head, tone: Map) -> None:
    who, act = head.who, head.act
    depth = 0.28 * max(act["brow_raise"] - 0.15, 0) + 0.12 * max(act["brow_inner"] - 0.3, 0) + 0.1 * who.age
    if depth < 0.03:
        return
    where = head.near(0.0, -0.22, 0.22, 0.08)
    fx, fy = head.fx[where], head.fy[where]
    bars = np.cos((fy + 0.22 + 0.35 * fx * fx) * (2 * np.pi / 0.036)) * 0.5 + 0.5
    fade = np.exp(-((fx / 0.17) ** 4) - ((fy + 0.222) / 0.05) ** 4)
    tone[where] *= 1 - min(depth, 0.4) * bars * bars * fade


def _beard(head: Head, where: Region, skin: Map, tone: Map) -> None:
    who = head.who
    ax, fy = head.ax[where], head.fy[where]
    mouth = who.mouth_height
    cheek_line = 0.03 + 0.9 * np.maximum(0.0, 0.2 - ax)
    jaw = who.beard * head.edge(np.minimum(cheek_line, mouth + 0.035) - fy, 9)
    lip_x, lip_y = ax / 0.115, (fy - mouth + 0.05 - 1.4 * ax * ax) / 0.028
    lip = who.moustache * np.clip(1.6 * np.exp(-(lip_x**4) - lip_y**2), 0, 1)
    cover = 0.78 * np.maximum(jaw, lip)
    skin += cover * (times(who.hair, 0.25 + 0.7 * tone) - skin)
