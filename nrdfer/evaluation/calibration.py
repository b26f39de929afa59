"""Calibration: whether a network is right as often as it is sure, and the temperature that makes it so.

Guo et al. 2017, "On Calibration of Modern Neural Networks": confidence is the largest probability, the expected
calibration error (ECE) the mean gap between confidence and accuracy over bins of equal width. On which clips a
temperature may be fitted is decided by the callers: never on those that are tested. Shapes: N clips, K classes, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nrdfer.core.emotions import emotion_indices, neutral_index

BINS = 15  # as Guo et al.
HOTTEST = 20.0  # largest temperature that is looked for; its inverse is the smallest
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: of each bin its clips, their mean confidence and accuracy (NaN where it is empty)."""

    clips_B: Ints
    confidence_B: Floats
    accuracy_B: Floats

    @property
    def ece(self) -> float:
        """The expected calibration error, 0 to 1."""
        there = self.clips_B > 0
        gaps = np.abs(self.accuracy_B[there] - self.confidence_B[there])
        return float((gaps * self.clips_B[there]).sum() / self.clips_B.sum())

    def to_dict(self) -> dict[str, Any]:
        """Plain values; of empty bins None."""
        rows = {"confidence": self.confidence_B, "accuracy": self.accuracy_B}
        plain = {name: [None if np.isnan(v) else float(v) for v in values] for name, values in rows.items()}
        return {"clips": [int(n) for n in self.clips_B], **plain}


def reliability(probabilities_NK: Floats, truth_N: Ints, bins: int = BINS) -> Reliability:
    """The reliability diagram of probabilities; a bin holds its upper edge, the first one also 0.

    Raises:
        ValueError: no clip, or different numbers of them.
    """
    if len(probabilities_NK) != len(truth_N) or not len(truth_N):
        raise ValueError(f"{len(probabilities_NK)} predictions and {len(truth_N)} labels; need as many of each")
    confidence_N = probabilities_NK.max(1)
    right_N = probabilities_NK.argmax(1) == truth_N
    edges = np.linspace(0, 1, bins + 1)
    bin_N = np.clip(np.searchsorted(edges, confidence_N, side="left") - 1, 0, bins - 1)
    clips_B = np.bincount(bin_N, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            clips_B,
            np.bincount(bin_N, confidence_N, bins) / clips_B,
            np.bincount(bin_N, right_N, bins) / clips_B,
        )


def fit_temperature(logits_NK: Floats, truth_N: Ints) -> float:
    """The temperature that makes true labels most probable: minimum of the cross-entropy of softmax(logits / T).

    The cross-entropy is convex in 1 / T, so its derivative has one root, within 1 / `HOTTEST` and `HOTTEST`; where
    there is none, as for logits that are always right, the bound itself is the answer.

    Raises:
        ValueError: no clip, or different numbers of them.
    """
    from scipy.optimize import brentq

    if len(logits_NK) != len(truth_N) or not len(truth_N):
        raise ValueError(f"{len(logits_NK)} predictions and {len(truth_N)} labels; need as many of each")
    true_N = logits_NK[np.arange(len(truth_N)), truth_N]

    def slope(log_inverse: float) -> float:
        p_NK = softmax(logits_NK * math.exp(log_inverse))
        return float(((p_NK * logits_NK).sum(1) - true_N).mean())

    bound = math.log(HOTTEST)
    if slope(-bound) >= 0:  # already there too sure
        return HOTTEST
    if slope(bound) <= 0:
        return 1 / HOTTEST
    return math.exp(-brentq(slope, -bound, bound, xtol=1e-10))


def softmax(logits_NK: Floats) -> Floats:
    """Probabilities of logits, of which some may be -inf."""
    e_NK = np.exp(logits_NK - logits_NK.max(-1, keepdims=True))
    return np.asarray(e_NK / e_NK.sum(-1, keepdims=True), np.float64)


def logits_of(predictions: pd.DataFrame, emotions: Sequence[str]) -> Floats:
    """Logits (N, K) of a predictions table, before the snippet-based filter."""
    return predictions[[f"logit_{k}" for k in range(len(emotions))]].to_numpy(dtype=np.float64)


def probabilities_of(predictions: pd.DataFrame, emotions: Sequence[str], temperature: float = 1.0) -> Floats:
    """Final probabilities (N, K) of a predictions table at a temperature: neutral's is 0 where a snippet vetoes it.

    The temperature divides the sequence's logits; the filter's thresholds are of the snippets, which it leaves alone.
    """
    logits_NK = logits_of(predictions, emotions) / temperature
    neutral = neutral_index(emotions)
    if neutral is not None:
        logits_NK[predictions["vetoed"].to_numpy(dtype=bool), neutral] = -np.inf
    return softmax(logits_NK)


def temperature_of(predictions: pd.DataFrame, emotions: Sequence[str]) -> float:
    """The temperature fitted on the logits of a predictions table; see `fit_temperature`."""
    return fit_temperature(logits_of(predictions, emotions), emotion_indices(predictions["emotion"], emotions))


def reliability_of(predictions: pd.DataFrame, emotions: Sequence[str], temperature: float = 1.0) -> Reliability:
    """The reliability diagram of a predictions table's final probabilities at a temperature."""
    truth_N = emotion_indices(predictions["emotion"], emotions)
    return reliability(probabilities_of(predictions, emotions, temperature), truth_N)
