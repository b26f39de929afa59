"""Installations in fresh environments, and a smoke test of each: imports, commands, and one tiny training.

Which Pythons and which releases are tried is chosen in ``scripts/smoke_pythons.py`` and ``scripts/lowest.py``. An
environment holds what ``pip install nrdfer`` installs and nothing else; commands run in an empty folder, so that the
package is the installed one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
_PATIENCE = 1800.0  # seconds that a part may take: an installation downloads gigabytes
_IMPORTS = "import nrdfer.cli, pipelines.definitions, torch, cv2, mlflow, onnxruntime; print(torch.__version__)"


@dataclass(frozen=True)
class Outcome:
    """One part: its name, whether it succeeded, seconds, and the last line that it printed."""

    part: str
    passed: bool
    seconds: float
    last: str


def uv() -> str:
    """The program uv.

    Raises:
        SystemExit: it is not installed.
    """
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv is not installed; run: make install, or pip install uv")
    return found


def install(python: str, environment: Path, arguments: Sequence[str]) -> Iterator[Outcome]:
    """Make an environment and install into it; ends at the first part that fails.

    Args:
        python: an interpreter, or a version that uv finds one of.
        environment: folder to make.
        arguments: of ``uv pip install``.
    """
    yield _run("environment", [uv(), "venv", "--quiet", "--python", python, str(environment)], PROJECT)
    program = interpreter(environment)
    yield _run("install", [uv(), "pip", "install", "--quiet", "--python", str(program), *arguments], PROJECT)
    yield _run("requirements agree", [uv(), "pip", "check", "--python", str(program)], PROJECT)


def try_out(environment: Path, folder: Path) -> Iterator[Outcome]:
    """Run the parts of the smoke test with an installation.

    Args:
        environment: with nrdfer.
        folder: to make, for what the commands write.
    """
    folder.mkdir(parents=True)
    program = interpreter(environment)
    command = str(program.with_name("nrdfer"))
    yield _run("imports", [str(program), "-c", _IMPORTS], folder)
    yield _run("nrdfer models", [command, "models"], folder)
    yield _run("nrdfer doctor", [command, "doctor"], folder)
    script = PROJECT / "devtools" / "smoke_training.py"
    yield _run("training", [str(program), str(script), str(folder / "training")], folder)


def interpreter(environment: Path) -> Path:
    """Python of an environment."""
    return environment / "bin" / "python"


def _run(part: str, line: Sequence[str], folder: Path) -> Outcome:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("NRDFER_", "MLFLOW_", "DAGSTER_"))
    }
    kept.pop("VIRTUAL_ENV", None)
    variables = {"NRDFER_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", "DO_NOT_TRACK": "true",
                 "DAGSTER_DISABLE_TELEMETRY": "yes", "MLFLOW_DISABLE_TELEMETRY": "true"}  # fmt: skip
    began = time.monotonic()
    try:
        done = subprocess.run(  # noqa: S603 - lines of this file
            line, cwd=folder, env={**kept, **variables}, capture_output=True, text=True, timeout=_PATIENCE
        )
        passed, text = done.returncode == 0, done.stdout + done.stderr if done.returncode else done.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        passed, text = False, str(error)
    told = [row.strip() for row in text.splitlines() if row.strip()]
    return Outcome(part, passed, time.monotonic() - began, told[-1] if told else "")
