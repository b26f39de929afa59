"""Names of videos in requests: no name is a defect of the server, and none tells what lies outside of the folders."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.predict.result import UNREADABLE, Prediction
from nrdfer.serving.service import Service
from nrdfer.serving.video_model import VideoModel


class Reader:
    """A predictor that says of every video that it is none."""

    emotions = EMOTIONS

    def predict(self, file: Path) -> Prediction:
        return Prediction(UNREADABLE, f"{file}: no video")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that may be opened; the server runs in another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    monkeypatch.setattr("nrdfer.serving.video_model.check_header", lambda *_: None)
    return tmp_path / "videos"


def ask(folders: list[Path], *names: str) -> tuple[int, Any]:
    model = VideoModel()
    model.predictor = Reader()  # type: ignore[assignment]
    model.folders = [str(one) for one in folders]
    reply = Service(model).reply(json.dumps({"inputs": [{"path": name} for name in names]}).encode())
    return reply.status, json.loads(reply.body)


@pytest.mark.parametrize("name", ["http:" + "a" * 300, "{}/" + "y" * 300, "{}/http:" + "a" * 300, "{}/\ud800.mp4"])
def test_a_name_that_no_system_takes_is_a_row_beside_the_others(folder: Path, name: str) -> None:
    (folder / "a.mp4").write_bytes(b"")
    status, answer = ask([folder], name.format(folder), str(folder / "a.mp4"))
    assert status == 200, answer
    odd, plain = answer["predictions"]
    assert odd["status"] == "unreadable"
    assert "opened" in odd["reason"]
    assert plain["reason"].endswith("a.mp4: no video")


@pytest.mark.parametrize("name", ["http:" + "a" * 300, "a" * 300, "a:there.txt", "a:missing.txt", "-i"])
def test_without_a_folder_every_name_is_refused_alike(folder: Path, name: str) -> None:
    Path("a:there.txt").write_text("secret")
    status, answer = ask([], name)
    assert status == 403
    assert "opens no files by their path" in answer["error"]


@pytest.mark.parametrize("names", [("a:there.txt", "a:missing.txt"), ("there.txt", "missing.txt")])
def test_nothing_is_said_of_files_outside_of_the_folders(folder: Path, names: tuple[str, str]) -> None:
    for name in ("a:there.txt", "there.txt"):
        Path(name).write_text("secret")
    there, missing = (json.dumps(ask([folder], name)) for name in names)
    assert there.replace("there", "missing") == missing


@pytest.mark.parametrize("name", ["{}/\udcff.mp4", "{}/missing\udcff.mp4", "{}/\ud800.mp4", "a:\udcff.mp4", "\udcff"])
def test_an_answer_about_a_name_of_odd_bytes_is_strict_json(folder: Path, name: str) -> None:
    (folder / os.fsdecode(b"\xff.mp4")).write_bytes(b"")
    _, answer = ask([folder], name.format(folder))
    json.dumps(answer, ensure_ascii=False).encode()  # what a strict reader refuses cannot be written, either


def test_a_name_of_odd_bytes_is_told_as_everywhere(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.mp4")).write_bytes(b"")
    _, answer = ask([folder], f"{folder}/\udcff.mp4")
    assert answer["predictions"][0]["reason"] == f"{folder}/\\xff.mp4: no video"
