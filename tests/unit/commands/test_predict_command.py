"""``nrdfer predict``: what is printed, what is refused, and how it ends."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from tests.unit.acting import act


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    for name in ("NRDFER_PROFILE", "NRDFER_PROFILES", "NRDFER_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    return done.exit_code, done.stdout, done.stderr


def test_a_folder_with_a_corrupt_video(shell: None, network_folder: Path, tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    act(videos / "a.mp4", face=15, empty=0)
    (videos / "b.mp4").write_bytes(b"\0nonsense" * 500)
    line = (videos, "--model", network_folder, "--out", out, "--no-video", "--window", "0.2", "--enhance", "none")
    code, printed, notes = run(*line)
    assert code == 0, notes
    header, one, two, counts, where = printed.splitlines()
    assert " ".join(header.split()) == "emotion prob. of time unsure frames with face people s per s video"
    assert one.split()[0] == "ok"
    assert "15/15" in one
    assert two.startswith("unreadable")
    assert counts == "2 videos: 1 answered, 0 without a face, 1 unreadable"
    assert str(out / "predictions.csv") in where
    assert "profile 'sample' of this shell" in notes
    assert "unlike in training: enhance none instead of crop" in notes
    assert "the shipped detector has seen rendered faces only" in notes
    told = json.loads((out / "a" / "prediction.json").read_text())
    assert told["overrides"] == ["enhance none instead of crop"]
    assert told["windows"] == {"window": 0.2, "stride": 0.2, "least_face": 0.25, "least_share": 0.03}
    assert not (out / "a" / "annotated.mp4").exists()
    with (out / "predictions.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["ok", "unreadable"]
    code, printed, _ = run(*line)
    assert code == 0
    assert "there" in printed.splitlines()[1]
    assert "1 existed already" in printed


def test_nothing_readable_ends_with_1(shell: None, network_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "b.mp4").write_bytes(b"\0nonsense" * 500)
    code, printed, _ = run(tmp_path / "b.mp4", "--model", network_folder, "--out", tmp_path / "out")
    assert code == 1
    assert "0 answered, 0 without a face, 1 unreadable" in printed


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "nowhere"], "nowhere is not a trained network"),
        (["--window", "-1"], "window must be a positive number"),
        (["--window", "1", "--stride", "2"], "leave gaps"),
        (["--least-share", "2"], "least_share is a share from 0 to 1"),
        (["--people", "everyone"], "people must be all, main or a number of 1 or more, not 'everyone'"),
        (["--people", "0"], "people must be all, main or a number of 1 or more, not '0'"),
        (["--answer", "mean"], "one of windows, clip, not 'mean'"),
        (["--convention", "pytorch_retinaface"], "give both"),
        (["--retinaface", "nowhere.pth"], "neither 'sample', nor a known name"),
        (["--enhance", "gamma"], "enhance is 'gamma'"),
        (["--target", "tallest"], "target 'tallest' is not known"),
        (["--device", "abacus"], "device 'abacus' is not known"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    shell: None, network_folder: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"")
    model = [] if "--model" in options else ["--model", str(network_folder)]
    code, printed, error = run(video, *model, *options, "--out", tmp_path / "out")
    assert (code, printed) == (1, "")
    assert error.startswith(("error: ", "model: "))
    assert words in error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to(shell: None, network_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    act(tmp_path / "a.mp4", face=5, empty=0)
    code, _, error = run(tmp_path / "a.mp4", "--model", network_folder, "--out", tmp_path / "file" / "out")
    assert code == 1
    assert "cannot be written to" in error


def test_a_folder_of_videos_that_is_to_receive_the_results_is_told_as_that(
    shell: None, network_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.mp4").write_bytes(b"\0nonsense" * 500)
    code, printed, notes = run(tmp_path / "v", "--model", network_folder, "--out", tmp_path / "v")
    assert code == 1
    assert "would receive results" in notes, printed + notes
