"""The page about use from other programs, and the README, keep their word: their blocks run beside a video."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.emotions import EMOTIONS
from tests.browser.servers import free_port
from tests.conftest import PROJECT

pytestmark = pytest.mark.slow  # two exports, a prediction and a server

PAGE = (PROJECT / "docs" / "use.md").read_text()
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SERVING = [text for kind, text in BLOCKS if kind == "sh" and "5001" in text]
IN_README = re.findall(r"^```python\n(.*?)^```$", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
OTHERS = [(kind, text) for kind, text in BLOCKS if text not in SERVING]


@pytest.fixture
def folder(tmp_path: Path, acted_video: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader of the page is."""
    shutil.copy(acted_video, tmp_path / "video.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_python_and_export(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    variables: dict[str, Any] = {}
    lines: list[str] = []
    for kind, text in OTHERS:
        if kind == "python":
            exec(compile(text, "use.md", "exec"), variables)  # noqa: S102
            lines += capsys.readouterr().out.splitlines()
            continue
        for line in text.splitlines():
            program, *words = shlex.split(line)
            done = CliRunner().invoke(app, words)
            assert (program, done.exit_code) == ("nrdfer", 0), done.output
            assert "(B, 16, 3, 64, 64)" in done.stdout and "the same emotion for 4" in done.stdout
    assert lines[0].strip() == "ok"
    assert any(re.fullmatch(r"0\.0 to 3\.0 s: \w+", line) for line in lines)
    assert "video.mp4 ok" in lines
    assert any(line.startswith("ok (100, 112, 112, 3) uint8 ") for line in lines)
    from_onnx, from_program = lines[-2:]
    assert from_onnx == from_program and set(json.loads(from_onnx.replace("'", '"'))) <= set(EMOTIONS)


def test_python_in_the_readme(folder: Path) -> None:
    variables: dict[str, Any] = {}
    (text,) = (block for block in IN_README if "nrdfer.predict(" in block)
    exec(compile(text, "README.md", "exec"), variables)  # noqa: S102
    assert variables["prediction"].people[0].answer.emotion in EMOTIONS
    assert variables["crops"].crops.shape == (100, 112, 112, 3)


@contextlib.contextmanager
def running(line: str, folder: Path, port: int) -> Iterator[None]:
    """The server of the page, while it answers."""
    words = [sys.executable, "-m", "nrdfer.cli", *shlex.split(line)[1:]]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        for _ in range(1500):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                break
            assert server.poll() is None, (folder / "log").read_text()[-3000:]
            time.sleep(0.2)
        yield
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def test_the_pair_of_lines_over_http(folder: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl, which the page uses, is not installed")
    port = free_port()  # the page's may be taken
    serve, ask = (text.strip().replace("5001", str(port)) for text in SERVING)

    def no(name: str) -> None:
        raise AssertionError(f"{name} in an answer")

    with running(serve, folder, port):
        done = subprocess.run(shlex.split(ask), capture_output=True, text=True, timeout=300)
        outside = subprocess.run(
            shlex.split(ask.replace("video.mp4", "../video.mp4")), capture_output=True, text=True, timeout=60
        )
    (row,) = json.loads(done.stdout, parse_constant=no)["predictions"]
    assert row["status"] == "ok" and row["emotion"] in EMOTIONS
    assert row["timeline"][0]["answer"]["probabilities"].keys() == set(EMOTIONS)
    assert row["people"][0]["person"] == 1
    assert json.loads(outside.stdout)["status"] == 403
