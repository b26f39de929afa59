from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from nrdfer.reporting.figures.filter_gain import MEAN, draw_filter_gain, filter_curve, gain_trend, read_folds
from tests.unit.reporting.figures.pictures import check_png

WARS = np.linspace(0.2, 0.68, 20)


def history(without: Any, gain: Any) -> list[dict[str, Any]]:
    pairs = zip(without, np.broadcast_to(gain, np.shape(without)), strict=True)
    return [
        {"epoch": epoch, "train_loss": 1.0, "test_war": float(war + more), "test_war_unfiltered": float(war)}
        for epoch, (war, more) in enumerate(pairs, 1)
    ]


def test_rho_is_spearmans_of_gain_and_mean_war() -> None:
    rng = np.random.default_rng(0)
    without, gain = rng.random(30), rng.normal(0, 0.1, 30)
    trend = gain_trend(filter_curve(history(without, gain)))
    assert trend.rho == pytest.approx(spearmanr(gain, without + gain / 2).statistic)
    assert trend.epochs == 30
    assert trend.last_gain == pytest.approx(100 * gain[-1])
    assert trend.mean_gain == pytest.approx(100 * gain.mean())


def test_the_reading_follows_the_sign_of_the_folds_rhos(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def reading(sign: float) -> str:
        folds = {f"fd{k}": history(WARS, 0.01 * sign * WARS + rng.normal(0, 0.001, 20)) for k in range(1, 6)}
        return draw_filter_gain(folds, tmp_path / "gain.png")[MEAN].reading

    assert reading(1).startswith("gain grows with WAR, as the paper says (mean rho +")
    assert reading(-1).startswith("gain shrinks as WAR grows, unlike the paper (mean rho −")


def test_nothing_is_read_into_one_training_or_into_folds_that_differ() -> None:
    assert "not independent" in read_folds([1.0])
    assert read_folds([1.0, None, 0.9]) == "2 folds are too few to show a relation"
    assert read_folds([0.9, -0.7, 0.2, -0.4, 0.1]).startswith("no clear relation")
    assert gain_trend(filter_curve(history(WARS, 0.01 * WARS))).reading == ""


@pytest.mark.parametrize("epochs", [13, 70])
def test_wandering_curves_without_a_relation_are_rarely_given_one(epochs: int) -> None:
    """A test that took epochs for independent announced one in half of such trainings."""
    rng, announced, draws = np.random.default_rng(1), 0, 300
    for _ in range(draws):
        steps = rng.normal(size=(2, 5, epochs))
        for i in range(1, epochs):
            steps[:, :, i] = 0.9 * steps[:, :, i - 1] + 0.19**0.5 * steps[:, :, i]
        ranks = steps.argsort(-1).argsort(-1)
        rhos = [float(np.corrcoef(gain, level)[0, 1]) for gain, level in zip(*ranks, strict=True)]
        announced += not read_folds(rhos).startswith("no clear relation")
    assert announced / draws <= 0.07


@pytest.mark.parametrize(("without", "gain"), [(WARS, 0.0), (WARS, 0.01), (np.full(9, 0.4), 0.0), ([0.4], 0.1)])
def test_constant_series_have_no_rho(without: Any, gain: float, tmp_path: Path) -> None:
    trend = draw_filter_gain({"fd1": history(without, gain)}, tmp_path / "gain.png")["fd1"]
    assert trend.rho is None
    assert trend.last_gain == pytest.approx(100 * gain)
    check_png(tmp_path / "gain.png", 4.2, 4.9)


def test_the_mean_is_over_the_epochs_that_all_folds_have(tmp_path: Path) -> None:
    folds = {"fd1": history(WARS, 0.01), "fd5": history(WARS[:10], 0.03)}
    trends = draw_filter_gain(folds, tmp_path / "gain.png")
    assert set(trends) == {"fd1", "fd5", MEAN}
    assert trends[MEAN].epochs == 10
    assert trends[MEAN].mean_gain == pytest.approx(2)
    check_png(tmp_path / "gain.png", 6.8, 4.9)


def test_what_cannot_be_drawn_is_told(tmp_path: Path) -> None:
    rows = history(WARS, 0.01)
    for bad in ({}, {"fd1": []}, {"fd1": [*rows, rows[0]]}, {"fd1": rows[:2], "fd2": rows[2:]}):
        with pytest.raises(ValueError, match=r"history|epoch"):
            draw_filter_gain(bad, tmp_path / "gain.png")
    assert not (tmp_path / "gain.png").exists()
