"""The demo's server: for this machine's own page alone, nothing from elsewhere, a folder that nobody else can read."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.demo.server import make_app, private_folder
from nrdfer.serving.limits import Limits

ASKED = "http://127.0.0.1:7860"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    pytest.importorskip("gradio", reason="gradio is not installed or cannot be imported: pip install 'nrdfer[demo]'")
    monkeypatch.setattr(os, "environ", os.environ.copy())  # what the folder sets is for a process of its own
    predictor: Any = SimpleNamespace(model=SimpleNamespace(warning="trained on <i>rendered</i> faces only"))
    with private_folder() as folder, TestClient(make_app(predictor, folder, Limits()), base_url=ASKED) as made:
        yield made


def test_the_page_and_who_may_ask_for_it(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "&lt;i&gt;rendered" in page.text or "\\u0026lt;i" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "googleapis" not in page.text and "cdnjs" not in page.text
    assert client.get("/", headers={"host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get("/", headers={"origin": ASKED}).status_code == 200
    assert client.post("/gradio_api/upload", headers={"origin": "null"}).status_code == 403


def test_files_of_the_machine_and_unknown_results_are_not_there(client: TestClient) -> None:
    for path in ("/results/guess/prediction.json", "/gradio_api/file=/etc/passwd", "/gradio_api/file=pyproject.toml"):
        assert client.get(path).status_code in (403, 404), path


def test_uploads_are_in_a_folder_that_only_the_user_can_read(client: TestClient) -> None:
    sent = client.post("/gradio_api/upload", files={"files": ("a.mp4", b"content")})
    (place,) = map(Path, sent.json())
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    assert place.is_relative_to(folder) and place.read_bytes() == b"content"
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


def test_the_folder_ends_with_what_it_holds() -> None:
    before = os.environ.copy(), tempfile.gettempdir()
    try:
        with private_folder() as folder:
            Path(os.environ["GRADIO_TEMP_DIR"], "upload").write_bytes(b"x")
            assert Path(tempfile.gettempdir()).is_relative_to(folder)
        assert not folder.exists() and tempfile.gettempdir() == before[1]
    finally:
        os.environ.clear()
        os.environ.update(before[0])


def test_without_the_extra_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["demo", "--model", "sample"])
    assert done.exit_code == 1 and "pip install 'nrdfer[demo]'" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "values=3"), "--limit values: there is no such limit"),
        (("--limit", "frames=-1"), "a limit is a number above 0"),
        (("--model", "nowhere"), "nowhere is not a trained network"),
    ],
)
def test_bad_options_are_one_message(words: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nrdfer.demo.server.refuse_no_gradio", lambda: None)
    done = CliRunner().invoke(app, ["demo", *words])
    assert done.exit_code == 1 and message in done.stderr
