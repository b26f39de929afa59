"""One picture of how far a network's probabilities may be trusted: reliability, and precision over recall.

What is drawn is computed in ``calibration`` and ``class_figures``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.evaluation.calibration import Reliability, reliability_of
from nrdfer.evaluation.class_figures import precision_recall_curves
from nrdfer.plotting.style import (
    BLACK,
    NORMAL,
    SKY,
    SMALL,
    VERMILLION,
    emotion_style,
    new_figure,
    plot_label,
    save,
    tidy,
)


def plot_calibration(
    predictions: pd.DataFrame,
    emotions: Sequence[str],
    path: Path,
    *,
    title: str,
    temperature: float | None = None,
    calibrated: Reliability | None = None,
) -> None:
    """Draw the reliability diagram with the share of clips in each bin, and every emotion's precision over recall.

    Args:
        predictions: of `nrdfer.evaluation.inference`.
        emotions: the label set.
        path: PNG to write.
        title: of the picture.
        temperature: fitted on other clips; the line at it is drawn, too.
        calibrated: that line where each fold has a temperature of its own.
    """
    figure = new_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2)
    found = reliability_of(predictions, emotions)
    if calibrated is None and temperature is not None:
        calibrated = reliability_of(predictions, emotions, temperature)
    centres = (np.arange(len(found.clips_B)) + 0.5) / len(found.clips_B)
    left.bar(centres, found.clips_B / found.clips_B.sum(), 1 / len(centres), color=SKY, alpha=0.5, edgecolor="white",
             label="share of the clips")  # fmt: skip
    left.plot([0, 1], [0, 1], ":", color=BLACK, linewidth=1, label="as sure as right")
    _line(left, found, "o-", BLACK, "as trained")
    if calibrated is not None:
        _line(left, calibrated, "s--", VERMILLION, "with temperature")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    left.set_xlabel("confidence: the largest probability", fontsize=NORMAL)
    left.set_ylabel("share of right answers", fontsize=NORMAL)
    left.legend(fontsize=SMALL, frameon=False, loc="upper left")
    for emotion, curve in precision_recall_curves(predictions, emotions).items():
        colour, marker = emotion_style(emotion, emotions)
        every = max(1, len(curve.recall) // 8)
        label = f"{plot_label(emotion)} ({curve.average_precision:.2f})"
        right.plot(curve.recall, curve.precision, color=colour, marker=marker, markevery=every, ms=4, lw=1.1,
                   label=label)  # fmt: skip
    right.set(xlim=(0, 1.02), ylim=(0, 1.02))
    right.set_xlabel("recall", fontsize=NORMAL)
    right.set_ylabel("precision", fontsize=NORMAL)
    figure.legend(
        *right.get_legend_handles_labels(), loc="outside right upper", title="average precision", fontsize=SMALL,
        title_fontsize=SMALL, frameon=False,
    )  # fmt: skip
    for axes in (left, right):
        tidy(axes, grid="both")
    figure.suptitle(plot_label(title), fontsize=NORMAL)
    save(figure, path)


def _line(axes: Any, found: Reliability, style: str, colour: str, name: str) -> None:
    there = found.clips_B > 0
    axes.plot(
        found.confidence_B[there], found.accuracy_B[there], style, color=colour, ms=4, lw=1.2,
        label=f"{name}, ECE {100 * found.ece:.1f} %",
    )  # fmt: skip
