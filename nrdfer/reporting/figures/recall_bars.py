"""Recall of each emotion under both protocols, with and without the snippet-based filter, beside the published ones.

Confusions, which say where the lost clips went, belong to ``confusions``; UAR and WAR to the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from nrdfer.evaluation.bootstrap import wilson
from nrdfer.evaluation.protocols import confusion_of
from nrdfer.plotting.style import BLACK, NORMAL, ORANGE, SKY, SMALL, new_figure, plot_label, save, tidy

_LOOKS = ((SKY, ""), (ORANGE, "///"), ("0.75", "..."), ("white", "xx"))  # colour and hatch of each table's bars


def recall_table(predictions: pd.DataFrame, emotions: Sequence[str]) -> pd.DataFrame:
    """Of each emotion of the label set: ``recall``, ``low``, ``high`` and ``without_filter`` in percent, and ``clips``.

    Emotions without a clip have NaN.
    """
    filtered = confusion_of(predictions, emotions)
    plain = confusion_of(predictions, emotions, "predicted_unfiltered")
    clips, hits = filtered.sum(1), np.diag(filtered)
    n = np.where(clips > 0, clips, np.nan)
    low, high = wilson(hits, clips)
    columns = {"recall": hits / n, "low": low, "high": high, "without_filter": np.diag(plain) / n}
    table = pd.DataFrame({name: 100 * values for name, values in columns.items()}, index=pd.Index(emotions))
    return table.assign(clips=clips)


def draw_recall_bars(
    tables: Mapping[str, pd.DataFrame],
    emotions: Sequence[str],
    path: Path,
    *,
    published: Mapping[str, float] | None = None,
) -> dict[str, pd.DataFrame]:
    """Draw the recalls as grouped bars with 95 % intervals; a small diamond is the recall without the filter.

    Args:
        tables: of each protocol (honest, paper), the predictions of all folds; at most four.
        emotions: the label set.
        path: PNG to write.
        published: the paper's recalls in percent by emotion, drawn as stars; None where nothing is comparable.

    Returns:
        `recall_table` of each protocol.

    Raises:
        ValueError: no table or more than four, or a table without clips.
    """
    if not 1 <= len(tables) <= len(_LOOKS):
        raise ValueError(f"{len(tables)} tables of predictions; 1 to {len(_LOOKS)} can be drawn")
    recalls = {name: recall_table(table, emotions) for name, table in tables.items()}
    figure = new_figure(5.4, 1.6 + len(emotions) * (0.26 + 0.2 * len(tables)))
    axes = figure.subplots()
    height = 0.8 / len(tables)
    for i, (name, table) in enumerate(recalls.items()):
        y = np.arange(len(emotions)) - 0.4 + height * (i + 0.5)
        colour, hatch = _LOOKS[i]
        bounds = np.stack([table["recall"] - table["low"], table["high"] - table["recall"]])
        axes.barh(y, table["recall"], height * 0.92, color=colour, hatch=hatch, edgecolor=BLACK, linewidth=0.6,
                  label=f"{name} protocol")  # fmt: skip
        axes.errorbar(table["recall"], y, xerr=bounds, fmt="none", ecolor=BLACK, elinewidth=1.1, capsize=2.5)
        axes.plot(table["without_filter"], y, "D", ms=4.5, color="white", mec=BLACK, mew=1, clip_on=False,
                  label="without the filter" if i == 0 else None)  # fmt: skip
        for place, recall in zip(y, table["recall"], strict=True):
            if np.isnan(recall):
                axes.text(1, place, "no clip", fontsize=SMALL, va="center")
    printed = published or {}
    known = [(printed[emotion], i) for i, emotion in enumerate(emotions) if emotion in printed]
    if known:
        axes.plot(
            *zip(*known, strict=True), "*", ms=11, color="white", mec=BLACK, mew=1.1, label="published", clip_on=False
        )
    clips = next(iter(recalls.values()))["clips"]
    names = [f"{plot_label(emotion)}\n{count:,} clips" for emotion, count in zip(emotions, clips, strict=True)]
    axes.set_yticks(range(len(emotions)), names)
    axes.set(xlim=(0, 100), ylim=(len(emotions) - 0.5, -0.5))
    axes.set_xlabel("recall after the filter, % (whiskers: 95 % Wilson interval)", fontsize=NORMAL)
    tidy(axes, grid="x")
    axes.tick_params(axis="y", labelsize=NORMAL, length=0)
    figure.legend(loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    save(figure, path)
    return recalls
