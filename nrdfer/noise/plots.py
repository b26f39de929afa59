"""The benchmark's pictures: WAR over noise, attention on noise, and clips that are called neutral.

What is measured belongs to ``findings``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nrdfer.config.noise import COMPONENTS, N1, N2, NoiseSettings
from nrdfer.core.optional_output import draw
from nrdfer.noise.findings import NEUTRAL, RATIO, WAR, Curve, Findings
from nrdfer.noise.intervals import Estimate
from nrdfer.noise.measure import LETTERS, PAIRS, settings_of
from nrdfer.plotting.style import BLACK, BLUE, LARGE, NORMAL, ORANGE, SKY, SMALL, VERMILLION, new_figure, save, tidy

WAR_PICTURE, ATTENTION_PICTURE, NEUTRAL_PICTURE = "noise_war.png", "noise_attention.png", "noise_neutral.png"
NAMES = {"baseline": "baseline", "dct": "DCT", "dsf": "DSF", "dsf-dct": "DSF + DCT"}
KINDS = {"n1_noface": "no face", "n1_occluded": "covered face", "n1_person": "another person's face"}
#: Colour and marker of each network; without the filter the line is broken and the marker empty.
_LOOKS = {"baseline": (BLACK, "o"), "dct": (ORANGE, "s"), "dsf": (BLUE, "^"), "dsf-dct": (VERMILLION, "D")}
_RIVALS = (("0.5", "x"), (SKY, "v"), ("0.7", "P"), ("0.3", "*"))


def draw_all(found: Findings, settings: NoiseSettings, out: Path) -> list[Path]:
    """Draw the three pictures into `out`; returns those that could be drawn."""
    war, attention, neutral = (out / name for name in (WAR_PICTURE, ATTENTION_PICTURE, NEUTRAL_PICTURE))
    draw("The picture of WAR over noise", war, lambda: draw_war(found, settings, war))
    draw("The picture of attention on noise", attention, lambda: draw_attention(found, attention))
    draw("The picture of neutral calls", neutral, lambda: draw_neutral(found, neutral))
    return [path for path in (war, attention, neutral) if path.is_file()]


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
    """Attention on N1 frames as a multiple of their share, learned against dynamic token: by level, and by kind."""
    figure = new_figure(7.4, 3.9)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for name, place in zip(COMPONENTS, (-0.15, -0.05, 0.05, 0.15), strict=True):
        curve = found.find(RATIO, name, N1)
        label = f"{NAMES[name]}: {'dynamic' if COMPONENTS[name][1] else 'learned'} token"
        _bars(left, name, [100 * level + 10 * place for level in curve.levels], curve.points, label)
        kinds = [one.ratio for one in found.by_kind if one.network == name]
        _bars(right, name, [at + 2 * place for at in range(len(kinds))], kinds, joined=False)
    for axes in (left, right):
        axes.axhline(1, color=BLACK, linewidth=0.8)
        tidy(axes, grid="y")
    right.text(0.02, 1, "even attention", fontsize=SMALL, va="bottom", transform=right.get_yaxis_transform())
    right.set_xticks(range(len(KINDS)), [name.replace(" ", "\n", 1) for name in KINDS.values()])
    left.set_xlabel("frames of N1, %", fontsize=NORMAL)
    left.set_ylabel("attention / share of frames", fontsize=NORMAL)
    left.set_ylim(bottom=0)
    left.set_title("all kinds of N1, by level", fontsize=LARGE)
    right.set_title("all levels, by kind", fontsize=LARGE)
    figure.suptitle("Does the class token look away from noise? (below 1: yes)", fontsize=LARGE)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    save(figure, path)


def _bars(
    axes: Any, network: str, places: Sequence[float], points: Sequence[Estimate], label: str = "", joined: bool = True
) -> None:
    """Points with their intervals, in the network's style."""
    (colour, marker), dynamic = _LOOKS[network], COMPONENTS[network][1]
    values = np.array([point.value for point in points])
    bounds = np.abs(np.array([[point.low, point.high] for point in points]).T - values)
    line = ("-" if dynamic else "--") if joined else "none"
    axes.errorbar(
        places, values, yerr=bounds, linestyle=line, color=colour, marker=marker, ms=5,
        mfc=colour if dynamic else "white", capsize=3, label=label or None,
    )  # fmt: skip


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
