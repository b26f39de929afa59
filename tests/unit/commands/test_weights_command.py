from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.weights.catalogue import CATALOGUE

runner = CliRunner()
DETECTOR = "retinaface-mobilenet0.25"


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache of the hub's client, and no connection."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NRDFER_WEIGHTS", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


def test_the_list_names_pin_licence_and_place(tmp_path: Path) -> None:
    done = runner.invoke(app, ["weights", "list", "--folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for pinned in CATALOGUE.values():
        assert pinned.name in done.output
        assert str(pinned.sha256 or pinned.git_blob) in done.output
        assert pinned.licence in done.output
    assert "here: no" in done.output


def test_a_file_that_is_there_is_found_by_its_content(shared_dir: Path) -> None:
    weights = shared_dir / "weights"
    done = runner.invoke(app, ["weights", "list", "--folder", str(weights), "--json"])
    here = {row["name"]: row["here"] for row in json.loads(done.output)}
    assert here[DETECTOR] == str(weights / "retinaface_mobilenet0.25.pth")
    assert here["retinaface-resnet50"] == here["enlightengan"] == ""
    fetched = runner.invoke(app, ["weights", "fetch", DETECTOR, "--folder", str(weights)])
    assert fetched.output.strip() == here[DETECTOR]
    told = runner.invoke(app, ["weights", "verify", here[DETECTOR]])
    assert told.exit_code == 0
    assert f"is {DETECTOR}" in told.output


def test_the_folder_of_the_environment_is_looked_into(shared_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_WEIGHTS", str(shared_dir / "weights"))
    done = runner.invoke(app, ["weights", "fetch", DETECTOR])
    assert done.exit_code == 0, done.output


def test_weights_that_must_be_brought_by_hand_say_so(tmp_path: Path) -> None:
    done = runner.invoke(app, ["weights", "fetch", "enlightengan", "--folder", str(tmp_path)])
    assert done.exit_code == 1
    assert "no hub repository is known to carry it" in done.output
    assert "6b4c94cee16aa044ac2d3b3d851ddb495d532644" in done.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"something else", "is not one of the published weights"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
        (None, "does not exist"),
    ],
)
def test_files_that_are_no_published_weights(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    done = runner.invoke(app, ["weights", "verify", str(path)])
    assert done.exit_code == 1
    assert message in done.output


def test_unknown_names_list_the_known() -> None:
    done = runner.invoke(app, ["weights", "fetch", "retinanet"])
    assert done.exit_code == 1
    assert "known are enlightengan, enlightengan-onnx, retinaface-mobilenet0.25" in done.output
