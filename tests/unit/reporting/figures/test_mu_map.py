from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nrdfer.plotting.style import VERMILLION
from nrdfer.reporting.figures.mu_map import draw_mu_map
from tests.unit.reporting.figures.pictures import check_png, share_of

# as steps of 0.1 make them: 0.7000000000000001
GRID = pd.DataFrame(
    [{"mu1": a, "mu2": b, "WAR": 60 + 10 * a + b, "UAR": 50.0} for a in 0.1 * np.arange(5, 10) for b in (0.05, 0.1)]
)


def test_the_span_and_the_default_are_read_from_the_grid(tmp_path: Path) -> None:
    found = draw_mu_map(GRID, tmp_path / "mu.png")
    assert found["WAR"].lowest == pytest.approx(65.05)
    assert found["WAR"].span == pytest.approx(4.05)
    assert found["WAR"].default == pytest.approx(67.05)
    assert found["UAR"].span == 0
    assert share_of(check_png(tmp_path / "mu.png", 4.6), VERMILLION) > 0.002


def test_a_default_outside_the_grid_is_not_boxed(tmp_path: Path) -> None:
    found = draw_mu_map(GRID.assign(mu1=GRID["mu1"] + 0.05), tmp_path / "mu.png")
    assert found["WAR"].default is found["UAR"].default is None
    assert share_of(check_png(tmp_path / "mu.png", 4.6), VERMILLION) == 0


def test_pairs_may_lack_but_not_come_twice(tmp_path: Path) -> None:
    found = draw_mu_map(GRID.drop(index=4), tmp_path / "mu.png")  # mu1 0.7, mu2 0.05: the default
    assert found["WAR"].default is None
    check_png(tmp_path / "mu.png", 4.6)
    for bad in (GRID[:0], pd.concat([GRID, GRID[:1]])):
        with pytest.raises(ValueError, match="each once"):
            draw_mu_map(bad, tmp_path / "bad.png")
