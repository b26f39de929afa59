"""The bench of growth measures every kind of file in processes of their own, and projects in proportion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KINDS = {"index", "listing", "folds", "names"}
PROJECT = Path(__file__).resolve().parents[3]


def test_every_figure_is_measured() -> None:
    line = [sys.executable, "-m", "bench.scaling", "--clips", "60", "240", "--frames", "8", "--target", "2400"]
    done = subprocess.run([*line, "--rates", "shards=100"], capture_output=True, text=True, cwd=PROJECT, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures["measured"]) == {"60", "240"}
    assert all(set(kinds) == KINDS for kinds in figures["measured"].values())
    for kind in ("index", "listing", "folds"):
        few, many = (figures["measured"][clips][kind]["bytes"] for clips in ("60", "240"))
        assert 3 < many / few < 5
        assert figures["target"][kind]["bytes"]["projected"] == 10 * many
    assert figures["hours"] == {"shards": {"1": round(2400 * 8 / 100 / 3600, 1), "8": 0.0}}
