"""``nrdfer`` in a project folder: as typed, or in the test's own process, where Python does not start anew.

Starting it takes longer than most commands, so that a command works as typed is tested once for each.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from typer.testing import CliRunner

from nrdfer.cli import app

Run = tuple[Path, dict[str, str], str]


def typed(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``nrdfer ARGUMENTS`` in a process of its own."""
    line = [sys.executable, "-m", "nrdfer.cli", *arguments]
    return subprocess.run(line, cwd=run[0], env=run[1], capture_output=True, text=True, timeout=300)


@contextlib.contextmanager
def inside(run: Run) -> Iterator[None]:
    """Working directory and environment of a project, for a while."""
    with contextlib.chdir(run[0]), mock.patch.dict(os.environ, run[1]):
        yield


def called(run: Run, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``nrdfer ARGUMENTS`` in this process, which keeps MLflow's database open: it must not be replaced afterwards."""
    with inside(run):
        done = CliRunner().invoke(app, arguments)
    return subprocess.CompletedProcess(["nrdfer", *arguments], done.exit_code, done.stdout, done.stderr)
