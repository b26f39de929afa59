"""What is reported of one fold and of five: metrics with and without the filter, mean of folds and pooled.

Published tables are mixed: DFEW's authors pooled the five confusion matrices, later papers average the folds. Both
are always given, under their names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.emotions import EMOTIONS, emotion_index
from nrdfer.evaluation.metrics import confusion_matrix, recalls, uar, war


def confusion_of(predictions: pd.DataFrame, column: str = "predicted") -> np.ndarray[Any, np.dtype[np.int64]]:
    """Confusion matrix (7, 7) of a predictions table."""
    truth = predictions["emotion"].map(emotion_index).to_numpy(dtype=np.int64)
    return confusion_matrix(truth, predictions[column].map(emotion_index).to_numpy(dtype=np.int64))


def fold_metrics(predictions: pd.DataFrame) -> dict[str, Any]:
    """Metrics of one predictions table (fractions, not percent)."""
    filtered, plain = confusion_of(predictions), confusion_of(predictions, "predicted_unfiltered")
    return {
        "war": war(filtered),
        "uar": uar(filtered),
        "war_unfiltered": war(plain),
        "uar_unfiltered": uar(plain),
        "clips": int(filtered.sum()),
        "recalls": {
            emotion: None if np.isnan(recall) else float(recall)
            for emotion, recall in zip(EMOTIONS, recalls(filtered), strict=True)
        },
        "confusion": filtered.tolist(),
    }


def cross_validation(folds: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Mean of the folds and pooled figures.

    Raises:
        ValueError: a clip is tested in two folds.
    """
    pooled = pd.concat(list(folds.values()), ignore_index=True)
    repeated = pooled["clip_id"][pooled["clip_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{len(repeated)} clips are tested in two folds, e.g. {repeated.iloc[0]}")
    each = [fold_metrics(table) for table in folds.values()]
    whole = fold_metrics(pooled)
    summary: dict[str, Any] = {"clips": whole["clips"]}
    for key in ("war", "uar", "war_unfiltered", "uar_unfiltered"):
        summary[f"{key}_mean"] = float(np.mean([metrics[key] for metrics in each]))
        summary[f"{key}_pooled"] = whole[key]
    return {**summary, "recalls": whole["recalls"], "confusion": whole["confusion"]}
