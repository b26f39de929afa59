"""Effect of the snippet-based filter on confusions: the matrix with and without it, and clips moved out of neutral.

The paper's supplement claims that fewer non-neutral clips are called neutral (section 4.5). Neutral clips that the
filter loses are counted beside it, since a filter that never answers neutral would fulfil the claim as well. One matrix
by itself belongs to ``evaluation.figures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.patches import Rectangle

from nrdfer.core.emotions import neutral_index
from nrdfer.core.errors import NrdferError
from nrdfer.evaluation.metrics import uar, war
from nrdfer.evaluation.protocols import confusion_of
from nrdfer.plotting.style import (
    BLUE,
    HEAT,
    NORMAL,
    SMALL,
    VERMILLION,
    ink,
    new_figure,
    plot_label,
    save,
    tidy,
    widened,
)


@dataclass(frozen=True)
class NeutralCounts:
    """Numbers of clips by the filter's effect on neutral."""

    neutral: int  # clips whose emotion is neutral
    non_neutral: int
    called_neutral_before: int  # non-neutral clips that are called neutral without the filter
    called_neutral_after: int  # and with it
    corrected: int  # of those taken out of neutral: now called by their own emotion
    neutral_right_before: int
    neutral_right_after: int

    @property
    def taken_out(self) -> int:
        """Non-neutral clips that the filter removes from neutral; correct or not."""
        return self.called_neutral_before - self.called_neutral_after

    @property
    def neutral_lost(self) -> int:
        """Neutral clips that are correct without the filter and wrong with it."""
        return self.neutral_right_before - self.neutral_right_after


def neutral_counts(predictions: pd.DataFrame, neutral: str) -> NeutralCounts:
    """Count the filter's effects on neutral in a table of predictions (columns as `evaluate` writes them)."""
    is_neutral = predictions["emotion"] == neutral
    before, after = predictions["predicted_unfiltered"] == neutral, predictions["predicted"] == neutral
    return NeutralCounts(
        neutral=int(is_neutral.sum()),
        non_neutral=int((~is_neutral).sum()),
        called_neutral_before=int((~is_neutral & before).sum()),
        called_neutral_after=int((~is_neutral & after).sum()),
        corrected=int((~is_neutral & before & (predictions["predicted"] == predictions["emotion"])).sum()),
        neutral_right_before=int((is_neutral & before).sum()),
        neutral_right_after=int((is_neutral & after).sum()),
    )


def draw_confusions(predictions: pd.DataFrame, emotions: Sequence[str], path: Path) -> NeutralCounts:
    """Draw both matrices, in percent of the true emotion, and below them the counts of `neutral_counts`.

    Args:
        predictions: of all folds, pooled: ``emotion``, ``predicted``, ``predicted_unfiltered``.
        emotions: the label set.
        path: PNG to write.

    Raises:
        NrdferError: the label set has no neutral, so there is no effect of the filter.
        ValueError: no clip.
    """
    neutral = neutral_index(emotions)
    if neutral is None:
        raise NrdferError(f"the label set {', '.join(emotions)} has no neutral; the filter vetoes nothing")
    without, filtered = confusion_of(predictions, emotions, "predicted_unfiltered"), confusion_of(predictions, emotions)
    counts = neutral_counts(predictions, emotions[neutral])
    figure = new_figure(*widened(7.0, 5.75, len(emotions)))
    grid = figure.add_gridspec(2, 2, height_ratios=(3.2, 1.1))
    left = figure.add_subplot(grid[0, 0])
    right = figure.add_subplot(grid[0, 1])
    _matrix(left, without, emotions, neutral, "without filter")
    _matrix(right, filtered, emotions, neutral, "with filter")
    left.set_yticks(
        range(len(emotions)), [f"{plot_label(name)} ({n:,})" for name, n in zip(emotions, without.sum(1), strict=True)]
    )
    left.set_ylabel("true (clips); cells: % of the row", fontsize=NORMAL)
    right.set_yticks([])
    _bars(figure.add_subplot(grid[1, :]), counts)
    save(figure, path)
    return counts


def _matrix(axes: Any, counts: npt.NDArray[np.int64], emotions: Sequence[str], neutral: int, name: str) -> None:
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap=HEAT, vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        percent = f"{100 * share:.0f}" if counts[row, column] else "·"
        axes.text(column, row, percent, ha="center", va="center", color=ink(share), fontsize=NORMAL)
    # the column that the filter empties
    box = Rectangle(
        (neutral - 0.5, -0.5), 1, len(emotions), fill=False, edgecolor=VERMILLION, linewidth=2.2, clip_on=False
    )
    axes.add_patch(box)
    names = [plot_label(name) for name in emotions]
    axes.set_xticks(range(len(emotions)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(labelsize=SMALL, length=0)
    axes.set_xlabel("predicted", fontsize=NORMAL, labelpad=0)
    axes.set_title(f"{name}\nWAR {100 * war(counts):.2f} %, UAR {100 * uar(counts):.2f} %", fontsize=NORMAL)


def _bars(axes: Any, counts: NeutralCounts) -> None:
    rows = (
        (f"non-neutral clips called\nneutral (of {counts.non_neutral:,})",
         counts.called_neutral_before, counts.called_neutral_after, counts.non_neutral),
        (f"neutral clips not called\nneutral (of {counts.neutral:,})",
         counts.neutral - counts.neutral_right_before, counts.neutral - counts.neutral_right_after, counts.neutral),
    )  # fmt: skip
    longest = max(max(before, after) for _, before, after, _ in rows)
    for i, (_, before, after, of) in enumerate(rows):
        for offset, value, colour, hatch, name in (
            (-0.2, before, VERMILLION, "///", "without filter"),
            (0.2, after, BLUE, "", "with filter"),
        ):
            axes.barh(i + offset, value, 0.38, color=colour, hatch=hatch, edgecolor="black", linewidth=0.6,
                      label=name if i == 0 else None)  # fmt: skip
            share = f" ({100 * value / of:.1f} %)" if of else ""
            axes.text(value + 0.01 * max(longest, 1), i + offset, f"{value:,}{share}", va="center", fontsize=SMALL)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.set(xlim=(0, 1.25 * max(longest, 1)), ylim=(1.5, -0.5))
    tidy(axes)
    axes.tick_params(axis="y", labelsize=NORMAL, length=0)
    words = f"wrong clips; taken out of neutral: {counts.taken_out:,}, of them now right: {counts.corrected:,}"
    axes.set_xlabel(words, fontsize=NORMAL)
    axes.legend(fontsize=SMALL, loc="lower right", frameon=False)
