"""The bench of growth measures every kind of file in processes of their own, and projects in proportion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.scaling import KINDS, projected, stage_hours

PROJECT = Path(__file__).resolve().parents[3]


def test_every_figure_is_measured() -> None:
    line = [sys.executable, "-m", "bench.scaling", "--clips", "60", "240", "--frames", "8", "--target", "2400"]
    done = subprocess.run([*line, "--rates", "shards=100"], capture_output=True, text=True, cwd=PROJECT, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["measured"]) == {"60", "240"}
    assert all(set(kinds) == set(KINDS) for kinds in figures["measured"].values())
    for kind in ("index", "listing", "folds"):
        few, many = (figures["measured"][clips][kind]["bytes"] for clips in ("60", "240"))
        assert 3 < many / few < 5
        assert figures["target"][kind]["bytes"]["projected"] == 10 * many
    assert figures["hours"] == {"shards": {"1": round(2400 * 8 / 100 / 3600, 1), "8": 0.0}}


def test_growth_and_hours_are_computed_as_they_say() -> None:
    flat = {kind: {"bytes": 10.0} for kind in KINDS}
    square = {kind: {"bytes": 1000.0} for kind in KINDS}
    found = projected([10, 100], [flat, square], 200)
    assert found["index"]["bytes"] == {"exponent": 2.0, "projected": 2000.0}
    hours = stage_hours({"training": 100.0, "shards": 50.0}, [1, 2], 1000, 36)
    assert hours["shards"] == {"1": 0.2, "2": 0.1}
    assert hours["training"]["1"] == pytest.approx(1000 * 5 * 70 * 0.8 / 100 / 3600, abs=0.05)
