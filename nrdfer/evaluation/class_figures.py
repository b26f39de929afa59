"""Figures beyond WAR and UAR: precision, recall and F1 of each emotion, curves of both, and answers at another prior.

All are taken of a predictions table; calibration itself belongs to ``calibration``. Shapes: N clips, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import emotion_indices, neutral_index
from nrdfer.evaluation.calibration import logits_of, probabilities_of, reliability_of
from nrdfer.evaluation.metrics import confusion_matrix, recalls, uar
from nrdfer.evaluation.protocols import confusion_of


@dataclass(frozen=True)
class Curve:
    """Precision over recall of one emotion, as its final probability's threshold falls; and the area below it."""

    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    average_precision: float


def precision_recall_curves(predictions: pd.DataFrame, emotions: Sequence[str]) -> dict[str, Curve]:
    """The curve of each emotion that occurs, by its final probability."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    p_NK, truth_N = probabilities_of(predictions, emotions), emotion_indices(predictions["emotion"], emotions)
    curves = {}
    for k, emotion in enumerate(emotions):
        of_N = truth_N == k
        if of_N.any():
            precision, recall, _ = precision_recall_curve(of_N, p_NK[:, k])
            curves[emotion] = Curve(recall, precision, float(average_precision_score(of_N, p_NK[:, k])))
    return curves


def by_class(predictions: pd.DataFrame, emotions: Sequence[str]) -> dict[str, dict[str, float | int | None]]:
    """Precision, recall, F1 and average precision (0 to 1) of each emotion; None where it has no clip or no answer.

    F1 of an emotion that occurs and is never answered is 0.
    """
    confusion = confusion_of(predictions, emotions)
    curves = precision_recall_curves(predictions, emotions)
    hits, answered, clips = np.diag(confusion), confusion.sum(0), confusion.sum(1)
    return {
        emotion: {
            "clips": int(clips[k]),
            "precision": float(hits[k] / answered[k]) if answered[k] else None,
            "recall": float(hits[k] / clips[k]) if clips[k] else None,
            "f1": float(2 * hits[k] / (answered[k] + clips[k])) if clips[k] else None,
            "average_precision": curves[emotion].average_precision if emotion in curves else None,
        }
        for k, emotion in enumerate(emotions)
    }


def macro_f1(figures: Mapping[str, Mapping[str, float | int | None]]) -> float:
    """The mean F1 of the emotions that occur, of `by_class`; 0 to 1."""
    return float(np.mean([row["f1"] for row in figures.values() if row["f1"] is not None]))


def at_prior(
    predictions: pd.DataFrame, emotions: Sequence[str], learned: Sequence[int], wanted: Sequence[float] | None = None
) -> dict[str, float]:
    """Figures of the answers if the emotions were as frequent as `wanted`: each logit is corrected by the prior.

    By Bayes' rule a network that learned from clips of one prior answers for another once log(wanted / learned) is
    added to its logits (Saerens et al. 2002); so rare emotions gain what oversampling would give them, without another
    training. The filter's vetoes stay as they are.

    Args:
        predictions: of the test clips.
        emotions: the label set.
        learned: number of training clips of each emotion.
        wanted: shares of the emotions; equal ones unless given.

    Returns:
        ``war`` and ``uar`` on the clips as they are, and ``war_at_prior``: WAR if they were as frequent as wanted, the
        recalls weighted by it (over the emotions that occur); 0 to 1.

    Raises:
        ValueError: other numbers of emotions, or a share that is not above 0.
    """
    clips_K = np.asarray(learned, np.float64)
    wanted_K = np.ones(len(emotions)) if wanted is None else np.asarray(wanted, np.float64)
    if clips_K.shape != wanted_K.shape or len(clips_K) != len(emotions) or not ((clips_K > 0) & (wanted_K > 0)).all():
        raise ValueError(f"a prior needs {len(emotions)} shares above 0, not {list(learned)} and {list(wanted_K)}")
    wanted_K = wanted_K / wanted_K.sum()
    logits_NK = logits_of(predictions, emotions) + np.log(wanted_K) - np.log(clips_K / clips_K.sum())
    neutral = neutral_index(emotions)
    if neutral is not None:
        logits_NK[predictions["vetoed"].to_numpy(dtype=bool), neutral] = -np.inf
    confusion = confusion_matrix(emotion_indices(predictions["emotion"], emotions), logits_NK.argmax(1), len(emotions))
    recall_K = recalls(confusion)
    there = ~np.isnan(recall_K)
    return {
        "war": float(np.trace(confusion) / confusion.sum()),
        "uar": uar(confusion),
        "war_at_prior": float((recall_K[there] * wanted_K[there]).sum() / wanted_K[there].sum()),
    }


def summary(
    predictions: pd.DataFrame,
    emotions: Sequence[str],
    *,
    temperature: float | None = None,
    learned: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Calibration and class figures of a predictions table as plain values, fractions.

    Args:
        predictions: of the test clips.
        emotions: the label set.
        temperature: fitted on other clips, if one was.
        learned: number of training clips of each emotion, if it is known and none is 0.
    """
    found = reliability_of(predictions, emotions)
    classes = by_class(predictions, emotions)
    values: dict[str, Any] = {
        "ece": found.ece,
        "reliability": found.to_dict(),
        "macro_f1": macro_f1(classes),
        "classes": classes,
    }
    if temperature is not None:
        calibrated = reliability_of(predictions, emotions, temperature)
        values |= {"temperature": temperature, "ece_at_temperature": calibrated.ece}
    if learned is not None and all(learned):
        values["equal_prior"] = at_prior(predictions, emotions, learned)
    return values


def in_words(values: Mapping[str, Any]) -> str:
    """A `summary` on one line."""
    text = f"macro-F1 {100 * values['macro_f1']:.2f}; ECE {100 * values['ece']:.2f}"
    if "temperature" in values:
        calibrated = 100 * values["ece_at_temperature"]
        text += f", {calibrated:.2f} at temperature {values['temperature']:.3f} of held-out training clips"
    if "equal_prior" in values:
        corrected = values["equal_prior"]
        text += (
            f"; answers for equally frequent emotions: WAR {100 * corrected['war']:.2f}, UAR "
            f"{100 * corrected['uar']:.2f}"
        )
    return text
