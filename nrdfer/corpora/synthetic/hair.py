"""Hair: the part behind the head, and the part over forehead and temples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nrdfer.corpora.synthetic.background import Map
from nrdfer.corpora.synthetic.head import Head, times


class _Cut(NamedTuple):
    volume: float  # width of the hair in widths of the head
    height: float  # likewise upwards
    end: float  # y where it ends
    lock: float  # hair covers the face beyond this share of its half width; above 1: nowhere


_CUTS = {
    "short": _Cut(1.06, 1.07, 0.02, 0.96),
    "fringe": _Cut(1.10, 1.09, 0.10, 0.95),
    "parted": _Cut(1.08, 1.10, 0.04, 0.95),
    "medium": _Cut(1.17, 1.10, 0.36, 0.90),
    "long": _Cut(1.20, 1.10, 0.58, 0.88),
    "receding": _Cut(1.05, 1.02, 0.06, 0.97),
}


def _shape(head: Head, cut: _Cut) -> Map:
    """Signed distance from the outline of all hair."""
    who = head.who
    upper = np.minimum(head.y + 0.03, 0) / (who.half_height * cut.height)
    lower = np.maximum(head.y + 0.03, 0) * 0.35
    wide = np.sqrt((head.x / (who.half_width * cut.volume)) ** 2 + upper * upper + lower * lower) - 1
    shape: Map = np.maximum(wide * np.float32(who.half_width), (head.y - cut.end + 0.5 * head.x * head.x) * 0.6)
    return shape


def paint_behind(head: Head) -> Map | None:
    """Hair behind head and neck; also gives the transparent rim a colour.

    Returns:
        Signed distance from the outline of the hair, which `paint_front` wants; None for the bald.
    """
    head.rgb[...] = head.who.hair[:, None, None] * np.float32(0.7)
    cut = _CUTS.get(head.who.hair_cut)
    if cut is None:
        head.rgb[...] = head.who.skin[:, None, None] * np.float32(0.6)
        return None
    shape = _shape(head, cut)
    head.alpha = np.maximum(head.alpha, head.edge(shape, 1.5))
    return shape


def paint_front(head: Head, shade: Map, shape: Map | None) -> None:
    """Hair over forehead and temples, with strands, within the `shape` of all hair."""
    who = head.who
    cut = _CUTS.get(who.hair_cut)
    if cut is None or shape is None:
        return
    inside = shape < 2 * head.soft
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if rows.size == 0:
        return
    last = rows[-1] if cut.end > 0.2 else min(rows[-1], round(0.62 * head.size))
    where = (slice(int(rows[0]), int(last) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    fx, fy, y = head.fx[where], head.fy[where], head.y[where]
    bow = {"receding": 2.2, "fringe": 0.25}.get(who.hair_cut, 0.85)
    forehead = fy - (who.hair_line + bow * fx * fx + who.hair_slant * fx)
    limit = who.half_width * cut.lock * (1 - 0.25 * np.maximum(y - 0.1, 0))
    sides = np.maximum(limit - np.abs(head.x[where]), who.hair_line - y)
    mask = head.edge(np.maximum(np.minimum(forehead, sides), shape[where]), 2.2)
    strands = np.sin(fx * 95 + 6 * fy + who.hair_line * 900) * np.sin(fx * 41 - 9 * fy) * 0.13 + 1
    head.paint(where, mask, times(who.hair, (0.35 + 0.65 * shade[where]) * strands))
