"""Repair touches no living run of another container or host, and recognises those that were killed."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from devtools.chaos.namespaces import why_not
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow


def test_living_runs_in_namespaces_are_left_alone_and_killed_ones_are_repaired() -> None:
    if reason := why_not():
        pytest.skip(reason)
    line = [sys.executable, "-m", "scripts.chaos.repair", "--trials", "6", "--rounds", "1"]
    done = subprocess.run(line, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "untouched: 6 of 6\n" in done.stdout
    assert re.search(r"dead runs recognised after at most [\d.]+ s, 3 of them\n", done.stdout)
