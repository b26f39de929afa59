"""Results of one fold and of five: metrics with and without the filter, mean of folds and pooled.

Published tables are mixed: DFEW's authors pooled the five confusion matrices, later papers average the folds. Both are
always given, under their names. Which weights are evaluated (last epoch: honest protocol; best epoch on the test fold:
paper protocol) is chosen and named by the caller.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import emotion_indices
from nrdfer.evaluation.metrics import confusion_matrix, recalls, uar, war


def confusion_of(
    predictions: pd.DataFrame, emotions: Sequence[str], column: str = "predicted"
) -> npt.NDArray[np.int64]:
    """Confusion matrix (K, K) of a predictions table, in the order of the label set `emotions`.

    Raises:
        ValueError: no clip, or an emotion that is not in the label set.
    """
    truth, predicted = (emotion_indices(predictions[name], emotions) for name in ("emotion", column))
    return confusion_matrix(truth, predicted, len(emotions))


def check_complete(predictions: pd.DataFrame, clip_ids: Collection[str], where: str) -> None:
    """Make sure that a table predicts exactly the clips it should, each once.

    Raises:
        ValueError: clips are missing, unexpected or repeated; the message counts them and names one of each.
    """
    predicted, expected = list(predictions["clip_id"]), set(clip_ids)
    missing, extra = sorted(expected - set(predicted)), sorted(set(predicted) - expected)
    repeated = sorted(predictions["clip_id"][predictions["clip_id"].duplicated()])
    found = {"missing": missing, "unexpected": extra, "predicted twice": repeated}
    wrong = [f"{len(ids)} {what}, e.g. {ids[0]}" for what, ids in found.items() if ids]
    if wrong:
        raise ValueError(f"{where}: every clip must be predicted exactly once, but {'; '.join(wrong)}")


def fold_metrics(predictions: pd.DataFrame, emotions: Sequence[str]) -> dict[str, Any]:
    """Metrics of one predictions table (fractions, not percent), over the label set `emotions`.

    UAR is the mean over the emotions that occur; ``absent`` names those that do not, so that a UAR over fewer than
    all is never mistaken for one over all.
    """
    filtered = confusion_of(predictions, emotions)
    plain = confusion_of(predictions, emotions, "predicted_unfiltered")
    each = dict(zip(emotions, recalls(filtered).tolist(), strict=True))
    return {
        "war": war(filtered),
        "uar": uar(filtered),
        "war_unfiltered": war(plain),
        "uar_unfiltered": uar(plain),
        "clips": int(filtered.sum()),
        "recalls": {emotion: None if np.isnan(recall) else recall for emotion, recall in each.items()},
        "absent": [emotion for emotion, recall in each.items() if np.isnan(recall)],
        "confusion": filtered.tolist(),
    }


def cross_validation(folds: Mapping[str, pd.DataFrame], emotions: Sequence[str]) -> dict[str, Any]:
    """Mean of the folds (``*_mean``) and figures of all clips together (``*_pooled``).

    Raises:
        ValueError: no fold, or a clip is tested in two folds.
    """
    if not folds:
        raise ValueError("no fold to combine")
    pooled = pd.concat(list(folds.values()), ignore_index=True)
    repeated = pooled["clip_id"][pooled["clip_id"].duplicated()]
    if len(repeated):
        raise ValueError(f"{len(repeated)} clips are tested in two folds, e.g. {repeated.iloc[0]}")
    each = {fold: fold_metrics(table, emotions) for fold, table in folds.items()}
    whole = fold_metrics(pooled, emotions)
    summary: dict[str, Any] = {"clips": whole["clips"], "folds": len(folds)}
    for key in ("war", "uar", "war_unfiltered", "uar_unfiltered"):
        summary[f"{key}_mean"] = float(np.mean([metrics[key] for metrics in each.values()]))
        summary[f"{key}_pooled"] = whole[key]
    absent = {fold: metrics["absent"] for fold, metrics in each.items() if metrics["absent"]}
    return {
        **summary,
        "recalls": whole["recalls"],
        "absent": absent,  # fold -> emotions without a clip, over which that fold's UAR is not taken
        "confusion": whole["confusion"],
    }
