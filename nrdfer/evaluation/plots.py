"""Pictures of an evaluation: confusion matrix and training curves, readable without colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from nrdfer.evaluation.metrics import recalls, uar, war
from nrdfer.evaluation.protocols import confusion_of
from nrdfer.plotting.style import plot_label, widened

matplotlib.use("Agg")


def plot_confusion(predictions: pd.DataFrame, emotions: Sequence[str], path: Path, *, title: str) -> None:
    """Confusion matrix over the label set `emotions` with counts and recalls, as PNG."""
    import matplotlib.pyplot as plt
    import numpy as np

    counts = confusion_of(predictions, emotions)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure, axes = plt.subplots(figsize=widened(6.4, 5.6, len(emotions)), dpi=110)
    picture = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for i, row in enumerate(counts):
        for j, count in enumerate(row):
            axes.text(j, i, str(count), ha="center", va="center", color="black" if shares[i, j] > 0.5 else "white")
    names = [
        f"{plot_label(emotion)} ({'-' if np.isnan(recall) else f'{100 * recall:.1f} %'})"
        for emotion, recall in zip(emotions, recalls(counts), strict=True)
    ]
    axes.set_xticks(range(len(emotions)), [plot_label(emotion) for emotion in emotions], rotation=40, ha="right")
    axes.set_yticks(range(len(emotions)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (recall)")
    axes.set_title(f"{title}\nWAR {100 * war(counts):.2f} %, UAR {100 * uar(counts):.2f} %", fontsize=10)
    figure.colorbar(picture, ax=axes, label="share of the true class", fraction=0.046)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def plot_curves(histories: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Training loss, and test WAR, of one or more trainings by epoch, as PNG."""
    import matplotlib.pyplot as plt

    markers, colours = "osD^vP", ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), dpi=110)
    for i, (name, rows) in enumerate(histories.items()):
        epochs = [row["epoch"] for row in rows]
        style: dict[str, Any] = {
            "marker": markers[i % 6],
            "color": colours[i % 6],
            "markersize": 3,
            "label": name,
        }
        left.plot(epochs, [row["train_loss"] for row in rows], **style)
        right.plot(epochs, [100 * row["test_war"] for row in rows], **style)
    left.set_ylabel("training loss (cross-entropy)")
    right.set_ylabel("test WAR after the filter, %")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    right.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
