"""Figure 4: WAR with and without the snippet-based filter by epoch, the filter's gain, and whether gain follows WAR.

The paper says that the gain grows with WAR (section 4.3). Whether it does is measured over folds, not assumed, and not
read from the epochs of one training. Other curves of a training belong to ``evaluation.figures``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from nrdfer.plotting.style import BLACK, BLUE, LARGE, NORMAL, SMALL, VERMILLION, new_figure, save, signed, tidy

MEAN = "mean of folds"
_FEWEST = 3  # folds from which something is read


@dataclass(frozen=True)
class GainTrend:
    """The filter's gain over the epochs of one training run."""

    epochs: int
    last_gain: float  # percentage points, in the last epoch
    mean_gain: float  # percentage points, over all epochs
    rho: (
        float | None
    )  # Spearman's, of gain and WAR, over epochs; None if either is constant; of `MEAN`, the folds' mean
    reading: str = ""  # of `MEAN`: what the folds' rhos say about the paper's claim


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
    return GainTrend(len(curve), float(gain.iloc[-1]), float(gain.mean()), _rho(gain, level))


def _rho(gain: pd.Series[float], level: pd.Series[float]) -> float | None:
    """Spearman's correlation; None if either is constant."""
    if gain.nunique() < 2 or level.nunique() < 2:
        return None
    return float(np.corrcoef(gain.rank(), level.rank())[0, 1])


def read_folds(rhos: Sequence[float | None]) -> str:
    """What the rhos of some folds say about the paper's claim, in words.

    Epochs of one training follow each other, so no number of them is evidence: both curves wander, and a test that
    takes epochs for independent announces a relation in half of the trainings that have none. A fold counts once, and
    the interval is Student's over folds.
    """
    known = np.array([rho for rho in rhos if rho is not None])
    if len(known) < 2:
        return "one training shows no relation: its epochs are not independent"
    if len(known) < _FEWEST:
        return f"{len(known)} folds are too few to show a relation"
    mean = float(known.mean())
    half = float(student.ppf(0.975, len(known) - 1) * known.std(ddof=1) / len(known) ** 0.5)
    interval = f"mean rho {signed(mean)}, 95 % {signed(mean - half)} to {signed(mean + half)} over {len(known)} folds"
    if abs(mean) <= half:
        return f"no clear relation of gain and WAR ({interval})"
    verdict = "gain grows with WAR, as the paper says" if mean > 0 else "gain shrinks as WAR grows, unlike the paper"
    return f"{verdict} ({interval})"


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
    if MEAN in trends:
        rhos = [trends[name].rho for name in histories]
        known = [rho for rho in rhos if rho is not None]
        mean_rho = float(np.mean(known)) if known else None
        trends[MEAN] = replace(trends[MEAN], rho=mean_rho, reading=read_folds(rhos))
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
        below.set_xlabel("\n".join(["epoch", rho, *textwrap.wrap(trend.reading, 44)]), fontsize=NORMAL)
        below.margins(y=0.15)
        for axes in (above, below):
            tidy(axes, grid="y")
        below.xaxis.get_major_locator().set_params(integer=True)
    panels[0, 0].set_ylabel("test WAR, %", fontsize=NORMAL)
    panels[1, 0].set_ylabel("gain, points", fontsize=NORMAL)
    panels[0, 0].legend(fontsize=SMALL, loc="lower right")
    save(figure, path)
