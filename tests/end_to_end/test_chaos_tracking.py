"""Five trainings at the same instant on an empty database, as ``make chaos-tracking`` does twenty times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_every_run_is_recorded(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "scripts.chaos.tracking", "--rounds", "2", "--with-server", "1"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "recorded: 10 of 10"
