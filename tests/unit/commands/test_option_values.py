"""Invalid values of options: each gives a clear message and status 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("preprocess a.mp4 --out o --retinaface sample --workers 0", "--workers 0: give a number of 1 or more"),
        ("serve --limit request_mib=1.0e+305", "a limit is a number above 0 and below"),
        ("serve --limit values=1" + 18 * "0", "a limit is a number above 0 and below"),
        ("corpus render --out c", "c exists and is not a rendered corpus"),
    ],
)
def test_it_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    (tmp_path / "a.mp4").write_text("x")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "settings.json").write_text('{"settings": 3, "rendering": 5}')
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 1
    assert words in done.stderr and "not expected here" not in done.stderr
