"""Captions of the report's pictures: what was measured, in a sentence, also where it contradicts the paper.

Drawing belongs to ``figures``; which pictures there are, to ``captioned_figures``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.evaluation.result_table import ResultTable
from nrdfer.reporting import table_artifacts
from nrdfer.reporting.figures.feature_map import Separation
from nrdfer.reporting.figures.mu_map import DEFAULT


def recalls(found: pd.DataFrame, published: Mapping[str, float] | None) -> str:
    """The highest and the lowest recall, those of no clip, and the emotion that differs most from the published one."""
    known = found["recall"].dropna()
    if known.empty:
        return "No emotion has a test clip."
    words = [
        f"Honest protocol: highest for {known.idxmax()} ({known.max():.2f} %), lowest for {known.idxmin()} "
        f"({known.min():.2f} %)."
    ]
    if never := [str(emotion) for emotion in known.index[known == 0]]:
        words.append(f"Not one clip of {', '.join(never)} is recognised.")
    shared = [emotion for emotion in known.index if emotion in (published or {})]
    if published and shared:
        off = max(shared, key=lambda emotion: abs(known[emotion] - published[emotion]))
        words.append(
            f"Furthest from the published recall is {off}: {known[off]:.2f} % here, {published[off]:.2f} % there."
        )
    return " ".join(words)


def balance(corrected: int, lost: int) -> str:
    """Whether the filter made more clips right than wrong, which the paper says of it."""
    if corrected == lost:
        return "So the filter changes nothing in WAR, which the paper says it raises."
    if corrected > lost:
        return f"So {corrected - lost} more clips are right, as the paper says of the filter."
    return f"So {lost - corrected} fewer clips are right, unlike what the paper says of the filter."


def curves(histories: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """What the training curves show, and what they measured at the end."""
    words = "Training loss, and WAR on the test clips after the filter, epoch by epoch."
    if not histories or not all(histories):
        return words
    last = 100 * np.mean([rows[-1]["test_war"] for rows in histories])
    best = 100 * np.mean([max(row["test_war"] for row in rows) for rows in histories])
    first_loss, last_loss = (np.mean([rows[place]["train_loss"] for rows in histories]) for place in (0, -1))
    fall = "falls" if last_loss < first_loss else "does not fall"
    return (
        f"{words} Mean of folds: the loss {fall}, from {first_loss:.3f} to {last_loss:.3f}; WAR is {last:.2f} % after "
        f"the last epoch and {best:.2f} % in each fold's best."
    )


def separation(found: Mapping[str, Mapping[str, Separation]]) -> str:
    """Whether ours separates the emotions better than the baseline, as the paper's figure is meant to show."""
    rows = found.get("ours", {}), found.get("baseline", {})
    pairs = [(rows[0][fold].silhouette, rows[1][fold].silhouette) for fold in rows[0] if fold in rows[1]]
    known = [(ours, other) for ours, other in pairs if ours is not None and other is not None]
    if not known:
        return ""
    if np.mean([ours for ours, _ in known]) > np.mean([other for _, other in known]):
        return " NR-DFERNet separates the emotions better than the baseline, as the paper says."
    return " NR-DFERNet does not separate the emotions better than the baseline, unlike what the paper says."


def thresholds(table: ResultTable) -> str:
    """What the thresholds change, and how the paper's compare with the best."""
    words = "Pooled, honest protocol; the box is the paper's default."
    grid = table_artifacts.thresholds(table)
    if grid is None or grid.empty:
        return words
    best = grid.loc[grid["WAR"].idxmax()]
    words += f" WAR is {grid['WAR'].min():.2f} to {best['WAR']:.2f} %"
    words += f", highest at mu1 {best['mu1']:g} and mu2 {best['mu2']:g}"
    own = grid[(grid["mu1"] == DEFAULT[0]) & (grid["mu2"] == DEFAULT[1])]["WAR"]
    return f"{words}; the paper's thresholds give {own.iloc[0]:.2f} %." if len(own) else f"{words}."
