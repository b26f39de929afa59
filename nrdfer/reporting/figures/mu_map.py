"""The study of the filter's two thresholds (section 4.2, and the paper's supplement): WAR and UAR over a grid.

Applying the filter with other thresholds belongs to ``reporting.decide``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from nrdfer.plotting.style import HEAT, LARGE, NORMAL, SMALL, VERMILLION, ink, new_figure, save

DEFAULT = (0.7, 0.05)  # mu1 and mu2 of the paper
MEASURES = ("WAR", "UAR")


@dataclass(frozen=True)
class Sensitivity:
    """Range of one measure over the grid."""

    lowest: float  # percent
    highest: float
    default: float | None  # None if the default is not part of the grid

    @property
    def span(self) -> float:
        """Percentage points between the best and the worst thresholds."""
        return self.highest - self.lowest


def draw_mu_map(grid: pd.DataFrame, path: Path) -> dict[str, Sensitivity]:
    """Draw both measures over the grid, the default thresholds in a box.

    Each map has its own scale, so that small differences are seen; how small they are is written above it.

    Args:
        grid: columns ``mu1``, ``mu2``, ``WAR`` and ``UAR`` (percent), each pair of thresholds once; pairs may lack.
        path: PNG to write.

    Returns:
        `Sensitivity` of each measure.

    Raises:
        ValueError: no row, or a pair of thresholds twice.
    """
    if grid.empty or grid.duplicated(["mu1", "mu2"]).any():
        raise ValueError(f"the grid needs pairs of thresholds, each once; got {len(grid)} rows")
    maps = {name: grid.pivot(index="mu2", columns="mu1", values=name).sort_index().sort_index(axis=1)
            for name in MEASURES}  # fmt: skip
    found = {name: _sensitivity(values) for name, values in maps.items()}
    rows, columns = maps[MEASURES[0]].shape
    # one below the other: side by side, figures in the cells could not be read on a narrow page
    figure = new_figure(max(4.6, 1.2 + 0.62 * columns), 1.9 + 2 * (0.3 * rows + 0.45))
    for axes, name in zip(figure.subplots(2, 1, sharex=True), MEASURES, strict=True):
        _draw_map(axes, maps[name], found[name])
        axes.set_title(f"{name}: spans {found[name].span:.2f} points", fontsize=LARGE)
        axes.set_ylabel("μ₂ (neutral below)", fontsize=NORMAL)
    axes.set_xlabel("μ₁ (strongest emotion above)", fontsize=NORMAL)
    words = "box: default" if found[MEASURES[0]].default is not None else "default not in the grid"
    figure.suptitle(words, fontsize=NORMAL)
    save(figure, path)
    return found


def _sensitivity(values: pd.DataFrame) -> Sensitivity:
    at = _place(values)
    numbers = values.to_numpy(dtype=np.float64)
    chosen = None if at is None or np.isnan(numbers[at]) else float(numbers[at])
    return Sensitivity(float(np.nanmin(numbers)), float(np.nanmax(numbers)), chosen)


def _place(values: pd.DataFrame) -> tuple[int, int] | None:
    """Row and column of the default; computed grids contain 0.7000000000000001."""
    rows = np.flatnonzero(np.isclose(values.index.to_numpy(dtype=np.float64), DEFAULT[1]))
    columns = np.flatnonzero(np.isclose(values.columns.to_numpy(dtype=np.float64), DEFAULT[0]))
    return (int(rows[0]), int(columns[0])) if len(rows) and len(columns) else None


def _draw_map(axes: Any, values: pd.DataFrame, found: Sensitivity) -> None:
    numbers = values.to_numpy(dtype=np.float64)
    middle, half = (found.highest + found.lowest) / 2, max(found.span / 2, 1e-6)  # a flat map has a scale as well
    axes.set_facecolor("0.9")  # pairs that lack
    axes.imshow(numbers, cmap=HEAT, vmin=middle - half, vmax=middle + half, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(numbers):
        known = not np.isnan(value)
        shade = (value - middle) / half / 2 + 0.5 if known else 1.0
        axes.text(column, row, f"{value:.2f}" if known else "–", ha="center", va="center", fontsize=NORMAL,
                  color=ink(shade))  # fmt: skip
    if found.default is not None and (at := _place(values)) is not None:
        for colour, width in (("white", 5.0), (VERMILLION, 3.0)):
            corner = (at[1] - 0.5, at[0] - 0.5)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, ec=colour, lw=width, clip_on=False, zorder=3))
    axes.set_xticks(range(values.shape[1]), [f"{mu:g}" for mu in values.columns])
    axes.set_yticks(range(values.shape[0]), [f"{mu:g}" for mu in values.index])
    axes.tick_params(labelsize=SMALL, length=0)
