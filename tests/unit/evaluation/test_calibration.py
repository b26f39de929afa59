"""ECE, reliability and temperature beside reference implementations written here."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.calibration import (
    BINS,
    HOTTEST,
    fit_temperature,
    probabilities_of,
    reliability,
    softmax,
    temperature_of,
)
from nrdfer.evaluation.calibration_plots import plot_calibration

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 7, 500)
LOGITS = 2.5 * RNG.normal(size=(500, 7)) + 3 * np.eye(7)[TRUTH]


def reference_ece(p: np.ndarray, truth: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3, clip by clip."""
    total = 0.0
    for b in range(bins):
        inside = [i for i in range(len(p)) if b / bins < p[i].max() <= (b + 1) / bins]
        if inside:
            accuracy = sum(int(p[i].argmax()) == truth[i] for i in inside) / len(inside)
            confidence = sum(float(p[i].max()) for i in inside) / len(inside)
            total += len(inside) / len(p) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [5, 10, BINS])
def test_ece_and_reliability_equal_the_references(bins: int) -> None:
    p = softmax(LOGITS)
    found = reliability(p, TRUTH, bins)
    assert found.ece == pytest.approx(reference_ece(p, TRUTH, bins), abs=1e-12)
    accuracy, confidence = calibration_curve(p.argmax(1) == TRUTH, p.max(1), n_bins=bins)
    there = found.clips_B > 0
    np.testing.assert_allclose(found.accuracy_B[there], accuracy, atol=1e-12)
    np.testing.assert_allclose(found.confidence_B[there], confidence, atol=1e-12)
    assert found.clips_B.sum() == 500 and found.to_dict()["clips"] == found.clips_B.tolist()


def test_edges_of_bins_and_certainty() -> None:
    p = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    found = reliability(p, np.array([0, 0, 0]), 2)
    assert found.clips_B.tolist() == [1, 2] and found.ece == pytest.approx((0.5 + 1.0) / 3)
    with pytest.raises(ValueError, match="need as many of each"):
        reliability(p[:0], np.array([], int))


def test_the_temperature_is_the_minimum_of_the_cross_entropy() -> None:
    def loss(log_t: float) -> float:
        return float(log_loss(TRUTH, softmax(LOGITS / np.exp(log_t)), labels=range(7)))

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert fit_temperature(LOGITS, TRUTH) == pytest.approx(np.exp(best.x), rel=1e-5)
    assert fit_temperature(4 * LOGITS, TRUTH) == pytest.approx(4 * fit_temperature(LOGITS, TRUTH), rel=1e-6)


def test_where_there_is_no_minimum_the_bound_is_the_answer() -> None:
    right = np.eye(7)[TRUTH]
    assert fit_temperature(right, TRUTH) == 1 / HOTTEST
    assert fit_temperature(-right, TRUTH) == HOTTEST
    with pytest.raises(ValueError, match="need as many of each"):
        fit_temperature(right[:0], TRUTH[:0])


def table() -> pd.DataFrame:
    vetoed = RNG.random(500) < 0.3
    return pd.DataFrame({f"logit_{k}": LOGITS[:, k] for k in range(7)}).assign(
        emotion=[EMOTIONS[k] for k in TRUTH], vetoed=vetoed
    )


def test_a_vetoed_neutral_has_no_probability_at_any_temperature() -> None:
    made = table()
    p = probabilities_of(made, EMOTIONS, 2.0)
    neutral = EMOTIONS.index("neutral")
    assert (p[made["vetoed"], neutral] == 0).all() and (p[~made["vetoed"], neutral] > 0).all()
    np.testing.assert_allclose(p.sum(1), 1)
    assert temperature_of(made, EMOTIONS) == pytest.approx(fit_temperature(LOGITS, TRUTH))


def test_the_picture_is_drawn(tmp_path) -> None:  # type: ignore[no-untyped-def]
    plot_calibration(table(), EMOTIONS, tmp_path / "a.png", title="fd1", temperature=1.5)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
