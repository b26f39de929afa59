"""Figure 4: WAR with and without the snippet-based filter by epoch, the filter's gain, and whether gain follows WAR.

The paper says that the gain grows with WAR (section 4.3). Whether it does is measured here, not assumed. Other curves
of a training belong to ``evaluation.figures``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.plotting.style import BLACK, BLUE, LARGE, NORMAL, SMALL, VERMILLION, new_figure, save, signed, tidy

MEAN = "mean of folds"
_WEAK = 0.3  # a rank correlation below this is not called a relation however many epochs there are


@dataclass(frozen=True)
class GainTrend:
    """The filter's gain over the epochs of one training run."""

    epochs: int
    last_gain: float  # percentage points, in the last epoch
    mean_gain: float  # percentage points, over all epochs
    rho: float | None  # Spearman's, of gain and WAR; None if either is constant
    reading: str  # what rho says about the paper's claim, in a few words


def filter_curve(history: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Percent by epoch: columns ``with_filter``, ``without`` and ``gain`` (percentage points), epochs as index.

    Raises:
        ValueError: no epoch, or an epoch twice.
    """
    rows = pd.DataFrame([dict(row) for row in history])
    if rows.empty or rows["epoch"].duplicated().any():
        raise ValueError(f"a history needs epochs, each once; got {len(rows)} rows")
    curve = 100 * rows.set_index("epoch").sort_index()[["test_war", "test_war_unfiltered"]]
    curve.columns = pd.Index(["with_filter", "without"])
    # a difference of fractions such as 0.2 - 0.1 is not exactly zero where it should be, and ranks would see that
    return curve.assign(gain=(curve["with_filter"] - curve["without"]).round(9))


def gain_trend(curve: pd.DataFrame) -> GainTrend:
    """Trend of the gain with WAR over the epochs of a `filter_curve`.

    Rho is taken of the gain and the mean of both WARs: against WAR with the filter the gain would correlate positively,
    and against WAR without it negatively, by their shared noise alone.
    """
    gain, level = curve["gain"], (curve["with_filter"] + curve["without"]).round(9)
    varies = gain.nunique() > 1 and level.nunique() > 1
    rho = float(np.corrcoef(gain.rank(), level.rank())[0, 1]) if varies else None
    return GainTrend(len(curve), float(gain.iloc[-1]), float(gain.mean()), rho, _reading(rho, len(curve)))


def _reading(rho: float | None, epochs: int) -> str:
    if rho is None:
        return "gain or WAR is constant: nothing to correlate"
    # 95 % bound of rho for unrelated, independent epochs; epochs are not independent, so it errs towards a claim
    if abs(rho) < max(_WEAK, 1.96 / max(epochs - 1, 1) ** 0.5):
        return "no clear relation of gain and WAR"
    return "gain grows with WAR, as the paper says" if rho > 0 else "gain shrinks as WAR grows, unlike the paper"


def draw_filter_gain(histories: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> dict[str, GainTrend]:
    """Draw Figure 4: the last fold (the paper's is fd5), and the mean of all where there are several.

    Args:
        histories: of each fold, one row an epoch with ``epoch``, ``test_war`` and ``test_war_unfiltered`` (fractions).
        path: PNG to write.

    Returns:
        What was found for each fold, and under `MEAN` for their mean over the epochs that all folds have.

    Raises:
        ValueError: no fold, a fold without epochs, or no epoch that all folds have.
    """
    if not histories:
        raise ValueError("no history to draw")
    curves = {name: filter_curve(rows) for name, rows in histories.items()}
    single = list(curves)[-1]
    drawn = {single: curves[single]}
    if len(curves) > 1:
        counts = pd.concat(list(curves.values())).groupby(level=0)
        mean = counts.mean()[counts.size() == len(curves)]
        if mean.empty:
            raise ValueError("the folds have no epoch in common")
        curves[MEAN] = drawn[MEAN] = mean.round(9)
    trends = {name: gain_trend(curve) for name, curve in curves.items()}
    _draw(drawn, trends, path)
    return trends


def _draw(drawn: Mapping[str, pd.DataFrame], trends: Mapping[str, GainTrend], path: Path) -> None:
    figure = new_figure(4.2 if len(drawn) == 1 else 6.8, 4.9)
    panels = figure.subplots(
        2, len(drawn), squeeze=False, sharex="col", sharey="row",
        gridspec_kw={"height_ratios": (3, 2), "width_ratios": (4, 3)[: len(drawn)]},
    )  # fmt: skip
    for (name, curve), (above, below) in zip(drawn.items(), panels.T, strict=True):
        trend = trends[name]
        often = max(2, len(curve) // 10)
        above.plot(curve.index, curve["with_filter"], "-o", color=BLUE, ms=4, markevery=(0, often), label="with filter")
        above.plot(curve.index, curve["without"], "--s", color=VERMILLION, ms=3.5, mfc="white",
                   markevery=(often // 2, often), label="without filter")  # fmt: skip
        above.set_title(name if name == MEAN or len(drawn) == 1 else f"fold {name}", fontsize=LARGE)
        below.axhline(0, color="0.4", linewidth=0.8)
        below.bar(curve.index, curve["gain"], 0.8, color="0.75", edgecolor=BLACK, linewidth=0.5)
        rho = "ρ = –" if trend.rho is None else f"ρ = {signed(trend.rho)} ({trend.epochs} epochs)"
        below.set_xlabel(f"epoch\n{rho}\n{_wrapped(trend.reading)}", fontsize=NORMAL)
        below.margins(y=0.15)
        for axes in (above, below):
            tidy(axes, grid="y")
        below.xaxis.get_major_locator().set_params(integer=True)
    panels[0, 0].set_ylabel("test WAR, %", fontsize=NORMAL)
    panels[1, 0].set_ylabel("gain, points", fontsize=NORMAL)
    panels[0, 0].legend(fontsize=SMALL, loc="lower right")
    save(figure, path)


def _wrapped(words: str) -> str:
    """The trend text on two lines, for the narrower panel."""
    middle = len(words) // 2
    cut = min((i for i, letter in enumerate(words) if letter == " "), key=lambda i: abs(i - middle))
    return f"{words[:cut]}\n{words[cut + 1 :]}"
