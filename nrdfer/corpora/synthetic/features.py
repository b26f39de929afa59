"""Eyes, brows, nose, mouth and glasses, drawn in the coordinates of the face and moved by facial actions."""

from __future__ import annotations

import numpy as np

from nrdfer.corpora.synthetic.background import Map
from nrdfer.corpora.synthetic.head import Head, times
from nrdfer.corpora.synthetic.skin import EYE_Y

_NOSE_Y = 0.078
_OUTSIDE = np.float32(0.05)  # a distance that is surely outside a shape


def five_points(head: Head) -> Map:
    """Image-left eye, image-right eye, tip of the nose, image-left and image-right mouth corner: (5, 2) pixels."""
    who, act = head.who, head.act
    width, middle = _mouth(head)
    corner_y = middle - 0.06 * act["smile"] * 0.55
    places = (
        (-who.eye_distance, EYE_Y),
        (who.eye_distance, EYE_Y),
        (0.0, _NOSE_Y * who.nose_length - 0.012),
        (-0.97 * width, corner_y),
        (0.97 * width, corner_y),
    )
    points = np.array([head.project(*place) for place in places], np.float32)
    # the tip of the nose protrudes from the face, so turning moves it further
    reach = 0.05 * head.scale
    points[2] += np.array([np.sin(head.pose.yaw), np.sin(head.pose.pitch)], np.float32) * np.float32(reach)
    return points


def paint_eye(head: Head, shade: Map, side: float) -> None:
    """One eye with its lids; side is -1 for the image's left."""
    who, act = head.who, head.act
    cx = side * who.eye_distance
    where = head.near(cx, EYE_Y, 0.085, 0.07)
    fx, fy = head.fx[where] - np.float32(cx), head.fy[where] - np.float32(EYE_Y)
    opening = max(0.06, 1 + act["eye_open"])
    width = 0.058 * who.eye_size
    bow = 1 - (fx / width) ** 2
    outside = np.where(bow > 0, 0, _OUTSIDE)
    bow = np.sqrt(np.maximum(bow, 0))
    tilt = -0.06 * side * fx  # outer corners a little higher
    upper = tilt - 0.0275 * who.eye_size * opening * bow
    lower = tilt + (0.019 - 0.011 * max(act["cheek"], 0)) * who.eye_size * min(1.0, 0.35 + 0.65 * opening) * bow
    inside = head.edge(np.maximum(upper - fy, fy - lower) + outside)
    light = 0.35 + 0.65 * shade[where]
    shadow = 1 - 0.35 * np.exp(-(((fy - upper) / 0.012) ** 2))  # of the upper lid
    head.paint(where, inside, np.float32(0.9) * light * shadow)
    ix, iy = fx - np.float32(0.016 * head.pose.gaze_x), fy - np.float32(0.008 * head.pose.gaze_y - 0.003)
    r = np.sqrt(ix * ix + iy * iy)
    iris = times(who.iris, light * (0.75 + 12 * np.maximum(r - 0.01, 0)))
    head.paint(where, inside * head.edge(r - 0.0245), iris)
    head.paint(where, inside * head.edge(r - 0.0108), 0.02)
    spark = np.sqrt((ix + 0.008) ** 2 + (iy + 0.009) ** 2)
    head.paint(where, inside * head.edge(spark - 0.0045), 0.95)
    head.paint(where, 0.9 * head.edge(np.abs(fy - upper) - 0.0055 + outside), who.brow * np.float32(0.4))
    crease = np.abs(fy - upper + 0.018 + 0.004 * max(act["eye_open"], 0)) - 0.003 + outside
    head.paint(where, 0.4 * head.edge(crease), who.skin * np.float32(0.35))
    head.paint(where, 0.45 * head.edge(np.abs(fy - lower) - 0.0025 + outside), who.skin * np.float32(0.4))


def paint_brow(head: Head, side: float) -> None:
    """One brow; raised, lowered, or with its inner end pulled up or down."""
    who, act = head.who, head.act
    lowered = max(act["brow_lower"], 0.0)
    cx = side * (who.eye_distance - 0.014 * lowered)
    where = head.near(cx, who.brow_height - 0.02, 0.11, 0.11)
    fy = head.fy[where]
    t = np.clip((head.fx[where] - np.float32(cx)) * np.float32(side / 0.08), -1.3, 1.3)
    inner = np.clip((0.35 - t) * (1 / 1.35), 0, 1)  # 1 at the nose's end
    line = (
        who.brow_height
        - 0.048 * act["brow_raise"]
        + 0.020 * lowered
        + 0.017 * t * t
        - 0.050 * act["brow_inner"] * inner
        + 0.012 * act["brow_inner"] * (1 - inner)
        + 0.016 * lowered * inner
    )
    ends = np.where(np.abs(t) < 1.05, 0, _OUTSIDE)
    d = np.abs(fy - line) - who.brow_thickness * (1 - 0.45 * np.clip(t, 0, 1)) + ends
    head.paint(where, 0.88 * head.edge(d, 1.4), who.brow)


def paint_nose(head: Head, shade: Map) -> None:
    """Ridge, tip and nostrils."""
    who = head.who
    tip = _NOSE_Y * who.nose_length
    wide = who.nose_width
    lift = 0.012 * max(head.act["wrinkle"], 0)
    where = head.near(0.0, 0.5 * tip - 0.02, 0.11, 0.14)
    fx, fy = head.fx[where], head.fy[where]
    fx = fx - np.float32(0.05 * np.sin(head.pose.yaw)) * np.clip((fy + 0.06) * 8, 0, 1)
    ax = np.abs(fx)
    down = np.clip((fy + 0.08) * (1 / (tip + 0.08)), 0, 1)
    along = np.where(fy < tip, down, 0)
    flank = np.exp(-(((ax - 0.022 - 0.012 * wide * down) / 0.013) ** 2)) * along
    # the flank away from the light is darker
    head.paint(where, 0.16 * flank * (1 - 0.35 * np.sign(fx)), who.skin * np.float32(0.3))
    glow = np.exp(-((fx / 0.014) ** 2)) * along * 0.16
    glow += 0.2 * np.exp(-((fx / 0.02) ** 2) - ((fy - tip + 0.022) / 0.02) ** 2)
    head.paint(where, glow * shade[where], 1.0)
    wing = np.exp(-(((ax - 0.043 * wide) / 0.011) ** 2) - ((fy - tip - 0.002 + lift) / 0.02) ** 2)
    head.paint(where, 0.3 * wing, who.skin * np.float32(0.3))
    under = np.exp(-((fx / (0.042 * wide)) ** 2) - ((fy - tip - 0.024 + lift) / 0.011) ** 2)
    head.paint(where, 0.38 * under, who.skin * np.float32(0.3))
    hole = np.exp(-(((ax - 0.024 * wide) / 0.012) ** 2) - ((fy - tip - 0.014 + lift) / 0.008) ** 2)
    head.paint(where, 0.75 * hole, who.skin * np.float32(0.12))


def _mouth(head: Head) -> tuple[float, float]:
    """Half width and middle y of the mouth."""
    act, who = head.act, head.who
    smile, jaw = act["smile"], max(act["jaw"], 0.0)
    width = who.mouth_width * (1 + 0.30 * max(smile, 0) - 0.08 * max(-smile, 0))
    width *= 1 - 0.24 * jaw * min(1.0, max(0.0, 1 - 2 * smile))
    return width, who.mouth_height - 0.016 * max(act["wrinkle"], 0)


def paint_mouth(head: Head, shade: Map) -> None:
    """Lips, and teeth and the inside where the mouth is open."""
    who, act = head.who, head.act
    width, middle = _mouth(head)
    jaw = max(act["jaw"], 0.0)
    where = head.near(0.0, middle + 0.01, 0.16, 0.13)
    fx, fy = head.fx[where], head.fy[where]
    t = fx * np.float32(1 / width)
    t2 = t * t
    inside = np.maximum(1 - t2, 0)
    outside = np.where(t2 < 1, 0, _OUTSIDE)
    root = np.sqrt(inside)
    line = middle - 0.06 * act["smile"] * (t2 - 0.45)
    gap = 0.068 * jaw * root
    square = 0.012 * max(act["wrinkle"], 0) * np.minimum(1, 2 * inside)  # disgust lifts the upper lip
    full = who.lip_fullness * (1 - 0.7 * min(max(act["press"], 0.0), 1.0))
    upper, lower = line - 0.3 * gap - square, line + 0.9 * gap
    cupid = 1 - 0.25 * np.exp(-((t / 0.16) ** 2))
    top = upper - 0.021 * full * root * cupid
    bottom = lower + 0.026 * full * root
    light = 0.35 + 0.65 * shade[where]
    shadow = np.exp(-((t / 0.6) ** 2) - ((fy - bottom - 0.02) / 0.013) ** 2)
    head.paint(where, 0.26 * shadow, who.skin * np.float32(0.4))
    head.paint(where, head.edge(np.maximum(top - fy, fy - bottom) + outside), times(who.lips, light))
    hole = head.edge(np.maximum(upper - fy, fy - lower) + outside + 0.001)
    head.paint(where, hole, np.array([0.16, 0.05, 0.05], np.float32))
    if jaw > 0.08 or act["wrinkle"] > 0.3:
        ends = np.where(np.abs(t) < 0.82, 0, _OUTSIDE)
        teeth = head.edge(np.maximum(upper - fy, fy - upper - 0.022) + ends)
        head.paint(where, teeth * hole, times(np.array([0.88, 0.86, 0.81], np.float32), light))
    head.paint(
        where,
        0.65 * head.edge(np.abs(fy - line) - 0.003 + outside) * (1 - hole),
        who.lips * np.float32(0.35),
    )
    if act["press"] > 0.3:  # tight lips fold at the corners
        corner = np.exp(-(((np.abs(t) - 1.08) / 0.1) ** 2) - ((fy - middle + 0.06 * act["smile"] * 0.55) / 0.02) ** 2)
        head.paint(where, 0.4 * act["press"] * corner, who.skin * np.float32(0.3))


def paint_glasses(head: Head) -> None:
    """Round frames."""
    who = head.who
    for side in (-1.0, 1.0):
        cx = side * who.eye_distance
        where = head.near(cx, EYE_Y, 0.11, 0.09)
        fx, fy = head.fx[where] - np.float32(cx), head.fy[where] - np.float32(EYE_Y)
        r = np.sqrt((fx / who.glasses) ** 2 + (fy / (0.75 * who.glasses)) ** 2)
        head.paint(where, 0.9 * head.edge(np.abs(r - 1) * 0.07 - 0.0055), 0.07)
    where = head.near(0.0, EYE_Y, 0.09, 0.03)
    bridge = np.maximum(head.ax[where] - (who.eye_distance - who.glasses), np.abs(head.fy[where] - EYE_Y) - 0.005)
    head.paint(where, 0.9 * head.edge(bridge), 0.07)
