from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from nrdfer.reporting.figures.filter_gain import MEAN, draw_filter_gain, filter_curve, gain_trend
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


def test_the_reading_follows_the_sign() -> None:
    grows = gain_trend(filter_curve(history(WARS, 0.01 * WARS)))
    shrinks = gain_trend(filter_curve(history(WARS, -0.01 * WARS)))
    assert (grows.rho, shrinks.rho) == (pytest.approx(1), pytest.approx(-1))
    assert "as the paper says" in grows.reading
    assert "unlike the paper" in shrinks.reading


def test_nothing_is_read_into_few_epochs_or_into_no_relation() -> None:
    few = gain_trend(filter_curve(history(WARS[:4], 0.01 * WARS[:4])))
    assert few.rho == pytest.approx(1)
    assert "no clear relation" in few.reading
    zigzag = gain_trend(filter_curve(history(WARS, 0.01 * (-1.0) ** np.arange(20))))
    assert "no clear relation" in zigzag.reading


@pytest.mark.parametrize(("without", "gain"), [(WARS, 0.0), (WARS, 0.01), (np.full(9, 0.4), 0.0), ([0.4], 0.1)])
def test_constant_series_have_no_rho(without: Any, gain: float, tmp_path: Path) -> None:
    trend = draw_filter_gain({"fd1": history(without, gain)}, tmp_path / "gain.png")["fd1"]
    assert trend.rho is None
    assert "constant" in trend.reading
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
