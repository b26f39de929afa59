"""What short commands load: nothing that takes seconds. ``python -m bench.startup`` measures how long they take."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import nrdfer

CODE = """
import sys
from nrdfer.cli import app
try:
    app(sys.argv[1:])
finally:
    print(*(name for name in ("torch", "mlflow", "cv2", "dagster", "pandas") if name in sys.modules), file=sys.stderr)
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CODE, *words], cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), ("run", "--help"), ("models",), ("weights", "list")], ids=" ".join
)
def test_short_commands_load_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(tmp_path, *words)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    assert done.stdout.strip()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("predict", "a.mp4", "--model", "models:/own@champion"), ("serve",)], ids=" ".join)
def test_a_missing_model_is_reported_before_anything_heavy_is_loaded(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "a.mp4").touch()
    done = run(tmp_path, *words)
    message, loaded = done.stderr.split("\n")[:2]
    assert (done.returncode, loaded) == (1, "")
    assert "no model models:/" in message and "`nrdfer reproduce` registers models" in message


def test_the_version_is_the_distributions() -> None:
    assert nrdfer.__version__ == version("nrdfer")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nrdfer.nothing
