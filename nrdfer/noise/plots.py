"""The benchmark's pictures: WAR over noise, attention on noise, and clips that are called neutral.

What is measured belongs to ``findings``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.noise.findings import NEUTRAL, RATIO, WAR, Curve, Findings
from nrdfer.noise.measure import LETTERS, PAIRS, settings_of
from nrdfer.noise.settings import COMPONENTS, N1, N2, NoiseSettings
from nrdfer.reporting.figures.style import (
    BLACK,
    BLUE,
    LARGE,
    NORMAL,
    ORANGE,
    SKY,
    SMALL,
    VERMILLION,
    new_figure,
    save,
    tidy,
)

WAR_PICTURE, ATTENTION_PICTURE, NEUTRAL_PICTURE = "noise_war.png", "noise_attention.png", "noise_neutral.png"
NAMES = {"baseline": "baseline", "dct": "DCT", "dsf": "DSF", "dsf-dct": "DSF + DCT"}
#: Colour and marker of each network; without the filter the line is broken and the marker empty.
_LOOKS = {"baseline": (BLACK, "o"), "dct": (ORANGE, "s"), "dsf": (BLUE, "^"), "dsf-dct": (VERMILLION, "D")}
_RIVALS = (("0.5", "x"), (SKY, "v"), ("0.7", "P"), ("0.3", "*"))


def draw_all(found: Findings, settings: NoiseSettings, out: Path) -> list[Path]:
    """Draw the three pictures into `out`."""
    draw_war(found, settings, out / WAR_PICTURE)
    draw_attention(found, out / ATTENTION_PICTURE)
    draw_neutral(found, out / NEUTRAL_PICTURE)
    return [out / WAR_PICTURE, out / ATTENTION_PICTURE, out / NEUTRAL_PICTURE]


def draw_war(found: Findings, settings: NoiseSettings, path: Path) -> None:
    """WAR over N1 and over N2: left every network of Table 1 with and without the filter, right the rivals beside h."""
    figure = new_figure(7.4, 6.6)
    panels = figure.subplots(2, 2, sharey=True)
    rivals = [name for name in settings_of(settings) if name not in LETTERS]
    for line, kind in zip(panels, (N1, N2), strict=True):
        for letter in LETTERS:
            _plot(line[0], found.find(WAR, letter, kind), letter, band=letter in "ah")
        for letter in "ah":
            _plot(line[1], found.find(WAR, letter, kind), letter, band=True)
        for name, (colour, marker) in zip(rivals, _RIVALS, strict=False):
            _draw(line[1], found.find(WAR, name, kind), label=name, color=colour, marker=marker, linestyle="-.")
            _band(line[1], found.find(WAR, name, kind), colour)
        what = "frames without the target's face (N1)" if kind == N1 else "neutral frames in other clips (N2)"
        for axes in line:
            axes.set_xlabel(f"{what}, %", fontsize=SMALL)
            tidy(axes, grid="y")
        line[0].set_ylabel("WAR, %", fontsize=NORMAL)
    panels[0][0].set_title("the settings of Table 1", fontsize=LARGE)
    panels[0][1].set_title("h, a and the rivals", fontsize=LARGE)
    drawn: dict[str, Any] = {}
    for axes in panels[0]:
        handles, labels = axes.get_legend_handles_labels()
        drawn |= dict(zip(labels, handles, strict=True))
    figure.legend(handles=list(drawn.values()), loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    figure.suptitle("bands: 95 % intervals over trainings and people", fontsize=SMALL)
    save(figure, path)


def draw_attention(found: Findings, path: Path) -> None:
    """Attention on N1 frames as a multiple of their share, learned against dynamic token."""
    figure = new_figure(6.4, 3.9)
    axes = figure.subplots()
    shift = dict(zip(COMPONENTS, (-0.9, -0.3, 0.3, 0.9), strict=True))
    for name in COMPONENTS:
        curve = found.find(RATIO, name, N1)
        colour, marker = _LOOKS[name]
        dynamic = COMPONENTS[name][1]
        x = 100 * np.array(curve.levels) + shift[name]
        values = np.array([point.value for point in curve.points])
        bounds = np.abs(np.array([[p.low, p.high] for p in curve.points]).T - values)
        axes.errorbar(
            x, values, yerr=bounds, fmt="-" if dynamic else "--", color=colour, marker=marker, ms=5,
            mfc=colour if dynamic else "white", capsize=3,
            label=f"{NAMES[name]}: {'dynamic' if dynamic else 'learned'} token",
        )  # fmt: skip
    axes.axhline(1, color=BLACK, linewidth=0.8)
    axes.text(1, 1, "even", fontsize=SMALL, va="bottom", ha="right", transform=axes.get_yaxis_transform())
    axes.set_xlabel("frames without the target's face (N1), %", fontsize=NORMAL)
    axes.set_ylabel("attention on N1 / share of N1", fontsize=NORMAL)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    tidy(axes, grid="y")
    axes.set_title("Does the class token look away from noise? (below 1: yes)", fontsize=LARGE)
    save(figure, path)


def draw_neutral(found: Findings, path: Path) -> None:
    """Non-neutral clips that are called neutral, over N2, with and without the filter."""
    figure = new_figure(7.4, 3.2)
    panels = figure.subplots(1, 4, sharey=True)
    for axes, (off, on) in zip(panels, PAIRS, strict=True):
        name = LETTERS[on][0]
        for letter, label in ((off, "without SF"), (on, "with SF")):
            curve = found.find(NEUTRAL, letter, N2)
            colour, marker = (VERMILLION, "s") if letter == off else (BLUE, "o")
            filled = "white" if letter == off else colour
            _draw(
                axes,
                curve,
                label=label,
                color=colour,
                marker=marker,
                mfc=filled,
                linestyle="--" if letter == off else "-",
            )
            _band(axes, curve, colour)
        axes.set_title(f"{NAMES[name]} ({off}, {on})", fontsize=NORMAL)
        axes.set_xlabel("N2, %", fontsize=SMALL)
        tidy(axes, grid="y")
    panels[0].set_ylabel("non-neutral clips\ncalled neutral, %", fontsize=NORMAL)
    panels[0].legend(fontsize=SMALL, frameon=False)
    save(figure, path)


def _plot(axes: Any, curve: Curve, letter: str, *, band: bool) -> None:
    network, filtered = LETTERS[letter]
    colour, marker = _LOOKS[network]
    label = f"{letter}: {NAMES[network]}{' + SF' if filtered else ''}"
    _draw(axes, curve, label=label, color=colour, marker=marker, mfc=colour if filtered else "white",
          linestyle="-" if filtered else "--")  # fmt: skip
    if band:
        _band(axes, curve, colour)


def _draw(axes: Any, curve: Curve, **style: Any) -> None:
    axes.plot(_percent(curve.levels), [point.value for point in curve.points], ms=4.5, linewidth=1.2, **style)


def _band(axes: Any, curve: Curve, colour: str) -> None:
    low, high = ([getattr(point, end) for point in curve.points] for end in ("low", "high"))
    axes.fill_between(_percent(curve.levels), low, high, color=colour, alpha=0.12, linewidth=0)


def _percent(levels: Sequence[float]) -> list[float]:
    return [100 * level for level in levels]
