"""The bench of the shared cache: processes that share hold one copy together, others one each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.slow  # six processes that load torch
def test_processes_that_share_hold_one_copy(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "bench.shared_cache", "--processes", "2", "--clips", "24", "--frames", "60"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=600)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["decoded_megabytes"] == 54.2
    assert figures["ram"]["copies_by_pss"] > 1.9
    for held in (figures["shared"], figures["again"]):
        assert 0.9 < held["copies_by_pss"] < 1.6
        assert held["private_megabytes"] < figures["ram"]["private_megabytes"] / 2
