"""The trials' scripts refuse a file of somebody else before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("name", ["power", "train", "tracking"])
@pytest.mark.parametrize("link", [True, False])
def test_a_file_of_somebody_else_is_refused_before_the_work(name: str, link: bool, tmp_path: Path) -> None:
    mine, given = tmp_path / "thesis.json", tmp_path / "given.json"
    mine.write_text("two years")
    if link:
        given.symlink_to(mine)
    else:
        given.write_text("two years")
    line = [sys.executable, "-m", f"scripts.chaos.{name}", "--json", str(given)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "it is left unchanged" in done.stderr
    assert done.stdout == ""  # the first that is done is told
    assert given.read_text() == mine.read_text() == "two years"
