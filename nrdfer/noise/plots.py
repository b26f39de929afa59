"""The benchmark's pictures: the contrasts, WAR over noise, attention on noise and its use, and what the filter vetoes.

What is measured belongs to ``findings``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.noise import ARMS, DYNAMIC, LEARNED, LEFT_OUT, N1, N2, POOLED, TOKENS
from nrdfer.core.optional_output import draw
from nrdfer.noise.measure import LETTERS
from nrdfer.noise.tables import KINDS, NAMES, READINGS
from nrdfer.plotting.style import (
    BLACK,
    BLUE,
    GREEN,
    LARGE,
    NORMAL,
    ORANGE,
    SKY,
    SMALL,
    VERMILLION,
    new_figure,
    save,
    tidy,
)  # fmt: skip

CONTRASTS_PICTURE, WAR_PICTURE = "noise_contrasts.png", "noise_war.png"
ATTENTION_PICTURE, FILTER_PICTURE = "noise_attention.png", "noise_filter.png"
Findings = Mapping[str, Any]
#: Colour and marker of each network and token.
_LOOKS = {
    "baseline": (BLACK, "o"), "dct": (ORANGE, "s"), "dsf": (BLUE, "^"), "dsf-dct": (VERMILLION, "D"),
    LEARNED: (BLACK, "o"), DYNAMIC: (VERMILLION, "D"), POOLED: (GREEN, "P"), LEFT_OUT: (ORANGE, "s"),
}  # fmt: skip
_RIVALS = (("0.5", "x"), (SKY, "v"), ("0.7", "P"), ("0.3", "*"))


def draw_all(found: Findings, out: Path) -> None:
    """Draw the pictures into `out`, as far as they can be drawn."""
    pictures: tuple[tuple[str, str, Callable[[Findings, Path], None]], ...] = (
        ("The picture of the contrasts", CONTRASTS_PICTURE, draw_contrasts),
        ("The picture of WAR over noise", WAR_PICTURE, draw_war),
        ("The picture of attention on noise", ATTENTION_PICTURE, draw_attention),
        ("The picture of the filter's vetoes", FILTER_PICTURE, draw_filter),
    )
    for what, name, function in pictures:
        path = out / name
        draw(what, path, lambda function=function, path=path: function(found, path))  # type: ignore[misc]


def draw_contrasts(found: Findings, path: Path) -> None:
    """The named contrasts with their intervals, the margin, and the verdicts."""
    rows, margin = found["verdicts"], found["settings"]["margin"]
    figure = new_figure(7.4, 0.75 + 0.6 * len(rows))
    axes = figure.subplots()
    axes.axvspan(-margin, margin, color="0.9", linewidth=0)
    axes.axvline(0, color=BLACK, linewidth=0.8)
    for place, row in enumerate(rows):
        one = row["estimate"]
        axes.plot([one["low"], one["high"]], [place, place], color=BLUE, linewidth=2)
        axes.plot(one["value"], place, "o", color=BLUE)
        axes.annotate(row["verdict"], (1.01, place), xycoords=("axes fraction", "data"), fontsize=SMALL, va="center")
    names = [textwrap.fill(row["claim"], 52) for row in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"points (grey: within the margin of {margin:g})", fontsize=NORMAL)
    tidy(axes, grid="x")
    save(figure, path)


def draw_war(found: Findings, path: Path) -> None:
    """WAR over N1 and over N2: left the tokens on frozen features (arm a), right the networks trained end to end."""
    figure = new_figure(7.4, 6.6)
    panels = figure.subplots(2, 2, sharey=True)
    rivals = [one["of"] for one in found["curves"] if one["stage"] == "networks" and one["of"] not in LETTERS]
    for line, kind in zip(panels, (N1, N2), strict=True):
        for token in TOKENS:
            _curve(line[0], _find(found, f"{ARMS[0]}: {token}", kind), token, _LOOKS[token])
        for letter, (network, filtered) in LETTERS.items():
            name = f"{letter}: {NAMES[network]}{' + SF' if filtered else ''}"
            _curve(line[1], _find(found, letter, kind), name, _LOOKS[network], filled=filtered, band=letter in "ah")
        for name, look in zip(dict.fromkeys(rivals), _RIVALS, strict=False):
            _curve(line[1], _find(found, name, kind), name, look)
        what = "frames without the target's face (N1)" if kind == N1 else "neutral frames in other clips (N2)"
        for axes in line:
            axes.set_xlabel(f"{what}, %", fontsize=SMALL)
            tidy(axes, grid="y")
        line[0].set_ylabel("WAR, %", fontsize=NORMAL)
    for axes, title in zip(panels[0], ("frozen features, arm a", "trained end to end"), strict=True):
        axes.set_title(title, fontsize=LARGE)
        axes.legend(fontsize=6.5, frameon=False)
    save(figure, path)


def draw_attention(found: Findings, path: Path) -> None:
    """Attention on N1 frames by share, in every reading, beside their use; and both by kind of N1."""
    figure = new_figure(7.4, 3.9)
    left, right = figure.subplots(1, 2, sharey=True)
    rows = [row for row in found["attention"] if row["kinds"]]
    for row, shift in zip(rows, np.linspace(-0.2, 0.2, len(rows)), strict=True):
        readings = [row["readings"].get(reading) for reading in READINGS]
        _bars(left, np.arange(len(READINGS)) + shift, readings, row["token"])
        use = [of.get("use") for of in row["kinds"].values()]
        _bars(right, np.arange(len(KINDS)) + shift, use, row["token"])
    left.set_xticks(range(len(READINGS)), [name.replace(" ", "\n", 1) for name in READINGS.values()])
    right.set_xticks(range(len(KINDS)), [textwrap.fill(name, 9) for name in KINDS.values()])
    for axes, title in ((left, "attention, three readings, and use"), (right, "use, by kind of N1")):
        axes.axhline(1, color=BLACK, linewidth=0.8)
        axes.set_title(title, fontsize=LARGE)
        tidy(axes, grid="y")
    left.set_ylabel("multiple of the share of frames", fontsize=NORMAL)
    left.legend(fontsize=SMALL, frameon=False)
    save(figure, path)


def draw_filter(found: Findings, path: Path) -> None:
    """Shares of clips called neutral that the filter vetoes, those that are not neutral beside those that are."""
    figure = new_figure(7.4, 3.4)
    axes = figure.subplots()
    rows = found["filter"]
    for name, shift, colour, marker, label in (
        ("others", -0.12, VERMILLION, "D", "clips that are not neutral"), ("neutral", 0.12, BLUE, "o", "neutral clips")
    ):  # fmt: skip
        _bars(axes, np.arange(len(rows)) + shift, [row[name] for row in rows], label, (colour, marker))
    names = [NAMES.get(row["of"], row["of"]) for row in rows]
    axes.set_xticks(range(len(rows)), [textwrap.fill(name, 10) for name in names])
    axes.set_ylabel("vetoed of those called neutral, %", fontsize=NORMAL)
    axes.legend(fontsize=SMALL, frameon=False)
    tidy(axes, grid="y")
    axes.tick_params(axis="x", labelsize=6.5)
    save(figure, path)


def _find(found: Findings, name: str, kind: str) -> Mapping[str, Any]:
    return next(one for one in found["curves"] if (one["of"], one["kind"]) == (name, kind))


def _curve(
    axes: Any, curve: Mapping[str, Any], label: str, look: tuple[str, str], *, filled: bool = True, band: bool = True
) -> None:
    (colour, marker), levels = look, [100 * level for level in curve["levels"]]
    values, low, high = ([point[end] for point in curve["points"]] for end in ("value", "low", "high"))
    axes.plot(
        levels, values, color=colour, marker=marker, mfc=colour if filled else "white", ms=4.5, linewidth=1.2,
        linestyle="-" if filled else "--", label=label,
    )  # fmt: skip
    if band:
        axes.fill_between(levels, low, high, color=colour, alpha=0.12, linewidth=0)


def _bars(
    axes: Any, places: Sequence[float] | Any, cells: Sequence[Any], label: str, look: tuple[str, str] | None = None
) -> None:
    """Points with their intervals; those that could not be measured are left out."""
    colour, marker = look or _LOOKS[label]
    there = [(place, cell) for place, cell in zip(places, cells, strict=True) if cell is not None]
    if not there:
        return
    values = np.array([cell["value"] for _, cell in there])
    ends = np.abs(np.array([[cell["low"], cell["high"]] for _, cell in there]).T - values)
    axes.errorbar(
        [place for place, _ in there], values, yerr=ends, linestyle="none", color=colour, marker=marker, ms=5,
        capsize=3, label=label,
    )  # fmt: skip
