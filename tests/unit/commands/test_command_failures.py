"""Whatever a command meets, it ends in words and a status that is not 0; what can be told at once, is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.commands.common import INTERRUPTED, readable
from nrdfer.core.errors import StoreError

runner = CliRunner()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with things that are not what is wanted."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "v.mp4").write_bytes(b"\0" * 64)
    (tmp_path / "mine.json").write_text("mine")
    (tmp_path / "mine.onnx").write_text("mine")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.csv").write_text("mine")
    (tmp_path / "out" / "metrics.json").write_text("mine")
    return tmp_path


LINES = [
    ("preprocess {t}/nothing --out {t}/new", "does not exist"),
    ("preprocess {t}/folder --out {t}/new", "no video"),
    ("preprocess {t}/v.mp4 --out {t}/empty", "a folder is needed"),
    ("preprocess {t}/v.mp4 --out {t}/empty/new", "is no folder"),
    ("preprocess {t}/v.mp4 --out {t}/new --json {t}/folder", "a file is needed"),
    ("preprocess {t}/v.mp4 --out {t}/new --json {t}/mine.json", "was not made by nrdfer"),
    ("preprocess {t}/v.mp4 --out {t}/new --json {t}/v.mp4", "was not made by nrdfer"),
    ("preprocess {t}/v.mp4 --out {t}/new --retinaface {t}/nothing", "nor a file"),
    ("preprocess {t}/v.mp4 --out {t}/new --retinaface {t}/folder", "nor a file"),
    ("predict {t}/nothing --out {t}/new --model {t}/folder", "does not exist"),
    ("predict {t}/folder --out {t}/new --model {t}/folder", "no video"),
    ("predict {t} --out {t} --model {t}/folder", "would receive results"),
    ("predict {t}/v.mp4 --out {t}/v.mp4 --model {t}/folder", "a folder is needed"),
    ("predict {t}/v.mp4 --out {t}/out --model {t}/folder", "predictions.csv is there and was not made by nrdfer"),
    ("predict {t}/v.mp4 --out {t}/new --model {t}/nothing", "is not a trained network"),
    ("predict {t}/v.mp4 --out {t}/new --model {t}/empty", "is not a trained network"),
    ("train fd1 --out {t}/empty", "a folder is needed"),
    ("train fd1 --out {t}/new --profile nothing", "no profile 'nothing'"),
    ("evaluate {t}/folder --split fd1 --out {t}/empty", "a folder is needed"),
    ("evaluate {t}/folder --split fd1 --out {t}/out", "metrics.json is there and was not made by nrdfer"),
    ("export {t}/mine.onnx --model {t}/folder", "was not made by nrdfer"),
    ("export {t}/folder --model {t}/folder", "a file is needed"),
    ("export {t}/empty/new.onnx --model {t}/folder", "is no folder"),
    ("corpus render --out {t}/empty", "is not a rendered corpus"),
    ("corpus render --out {t}/out", "is not a rendered corpus"),
    ("corpus labels {t}/nothing", "nothing"),
    ("corpus labels {t}/empty", "empty"),
    ("doctor --dfew {t}/nothing --afew {t}/empty", "nothing"),
    ("shards ls {t}/nothing", "nothing"),
    ("shards ls {t}/empty", "empty"),
    ("shards show a {t}/folder", "folder"),
    ("shards show a {t}/folder --sheet {t}/mine.json", "was not made by nrdfer"),
    ("shards verify {t}/folder", "folder"),
    ("weights fetch nothing", "nothing"),
    ("weights verify {t}/folder", "folder"),
    ("weights verify {t}/empty", "empty"),
]


@pytest.mark.parametrize(("line", "words"), LINES, ids=[line for line, _ in LINES])
def test_wrong_places_are_told_in_words(place: Path, line: str, words: str) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = runner.invoke(app, [word.format(t=place) for word in line.split()])
    if not line.startswith("shards verify"):
        assert done.exit_code == 1, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert words in done.output
    assert "Traceback" not in done.output
    assert "not expected here" not in done.output
    assert {path: path.read_bytes() for path in before} == before
    assert not (place / "new").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["preprocess", "{t}/nothing", "--out", "{t}/new"],
        ["preprocess", "{t}/v.mp4", "--out", "{t}/empty"],
        ["predict", "{t}", "--out", "{t}"],
        ["predict", "{t}/nothing", "--out", "{t}/new"],
        ["train", "fd1", "--out", "{t}/empty"],
        ["evaluate", "x", "--split", "fd1", "--out", "{t}/empty"],
        ["export", "{t}/folder"],
    ],
)
def test_arguments_are_checked_before_anything_slow_is_loaded(place: Path, words: list[str]) -> None:
    code = (
        "import sys, nrdfer.cli\n"
        "try: nrdfer.cli.app(sys.argv[1:])\n"
        "except SystemExit as end: print(end.code, [m for m in ('torch', 'mlflow', 'cv2') if m in sys.modules])"
    )
    line = [sys.executable, "-c", code, *(word.format(t=place) for word in words)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 []", done.stderr


def run(error: BaseException) -> tuple[int, str]:
    small = typer.Typer()

    @small.command()
    @readable
    def command() -> None:
        raise error

    done = runner.invoke(small, [])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreError("no room in /a\x1b[31m\udcff"), r"error: no room in /a\x1b[31m\xff"),
        (OSError(28, "No space left on device", "/data/x"), "error: no room on the disk of /data/x"),
        (OSError(21, "Is a directory", "/data/x"), "error: /data/x: Is a directory"),
        (OSError("something"), "OSError: something"),
        (ValueError("first\nsecond"), "ValueError: first (test_command_failures.py:"),
        (MemoryError(), "MemoryError (test_command_failures.py:"),
    ],
)
def test_no_error_ends_in_a_traceback(error: Exception, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NRDFER_TRACEBACK", raising=False)
    code, told = run(error)
    assert code == 1
    assert words in told
    assert len(told.splitlines()) == 1


def test_ctrl_c_ends_with_130_and_a_word() -> None:
    assert run(KeyboardInterrupt()) == (INTERRUPTED, "stopped; finished results are complete\n")


def test_a_traceback_is_shown_to_those_who_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_TRACEBACK", "1")
    small = typer.Typer()

    @small.command()
    @readable
    def command() -> None:
        raise ValueError("a defect")

    assert isinstance(runner.invoke(small, []).exception, ValueError)


def test_a_name_that_is_not_utf8_can_be_printed(place: Path) -> None:
    name = os.fsencode(place) + b"/Stra\xdfe.mp4"
    done = subprocess.run(
        [sys.executable, "-m", "nrdfer.cli", "preprocess", name, "--out", place / "new"],
        capture_output=True,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 1
    assert rb"Stra\xdfe.mp4" in done.stderr or rb"Stra\udcdfe.mp4" in done.stderr
    assert b"Traceback" not in done.stderr
