"""One training killed at a random moment, as ``make chaos-train`` does with thirty."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_a_killed_training_ends_in_the_same_bytes(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "scripts.chaos.train", "--kills", "1", "--terms", "0", "--cold"]
    line += ["--epochs", "3", "--json", str(tmp_path / "told.json")]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "identical: 1 of 1"
    told = json.loads((tmp_path / "told.json").read_text())
    assert [trial["status"] for trial in told["trials"]] == [-9]
    assert len(set(told["sha256"].values())) >= 2


def test_a_killed_training_on_a_stream_ends_in_the_same_bytes(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "scripts.chaos.train", "--kills", "1", "--terms", "0", "--cold"]
    line += ["--serve", "http", "--epochs", "2", "--json", str(tmp_path / "told.json")]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "identical: 1 of 1"
    assert json.loads((tmp_path / "told.json").read_text())["served"] == "http"
