"""Every figure of the loader's bench is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]


def test_every_figure_is_measured() -> None:
    line = [sys.executable, "-m", "bench.loader", "--count", "3", "--frames", "20", "--rounds", "1"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=300)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["bench"], figures["clips"], figures["frames"]) == ("loader", 3, 60)
    for rates in (figures["clips_per_second"], figures["cpu"]["clips_per_second"]):
        assert set(rates) == {"usual", "straight", "cached"}
        assert min(rates.values()) > 0
    assert set(figures["share_of_straight"]) == {"plan", "read", "decode", "warp", "colour"}
