"""``nrdfer preprocess`` as a user types it: what lies in its way, odd names, modes of files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.video.constant_rate_writer import VideoWriter

SIZE = (64, 48)


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video that shows nobody: with ``--no-face centre`` it has crops all the same."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("NRDFER_WEIGHTS", raising=False)
    path = tmp_path / "v.avi"
    with VideoWriter(path, *SIZE, 25, "mjpeg") as writer:
        for _ in range(3):
            writer.write(np.full((SIZE[1], SIZE[0], 3), 100, np.uint8))
    return path


def preprocess(*videos: Path, out: Path, table: Path | None = None) -> Result:
    words = ["preprocess", *map(str, videos), "--out", str(out), "--no-face", "centre", "--workers", "1"]
    return CliRunner().invoke(app, [*words, *(["--json", str(table)] if table else [])])


def test_preprocess_removes_and_overwrites_nothing_that_it_did_not_make(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folder, sheet = out / "v" / "notes of mine.txt", out / "other.png"
    folder.parent.mkdir(parents=True)
    folder.write_text("a year of work")
    sheet.write_bytes(b"a drawing of mine")
    other = video.with_name("other.avi")
    other.write_bytes(video.read_bytes())
    done = preprocess(video, other, out=out, table=tmp_path / "t.json")
    assert folder.read_text() == "a year of work", done.output
    assert sheet.read_bytes() == b"a drawing of mine", done.output
    rows = json.loads((tmp_path / "t.json").read_text())
    assert [(row["status"], "was not made by nrdfer" in row["reason"]) for row in rows] == [("refused", True)] * 2


def test_the_table_of_preprocess_overwrites_no_file_of_the_user(video: Path, tmp_path: Path) -> None:
    before = video.read_bytes()
    assert preprocess(video, out=tmp_path / "out", table=video).exit_code == 1
    assert video.read_bytes() == before


@pytest.mark.parametrize("name", [b"Stra\xdfe.avi", b"L" * 245 + b".avi"], ids=["latin-1", "249 bytes"])
def test_a_name_that_is_odd_has_a_row_and_the_others_go_on(video: Path, tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for each in (b"a.avi", name, b"z.avi"):
        (folder / os.fsdecode(each)).write_bytes(video.read_bytes())
    done = preprocess(folder, out=tmp_path / "out", table=tmp_path / "t.json")
    assert done.exit_code == 0, repr(done.exception)
    assert [row["status"] for row in json.loads((tmp_path / "t.json").read_bytes())] == ["centred"] * 3


def test_pictures_of_faces_are_readable_by_nobody_else_under_a_strict_umask(video: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        done = preprocess(video, out=tmp_path / "out", table=tmp_path / "t.json")
    finally:
        os.umask(before)
    assert done.exit_code == 0, done.output
    made = [path for path in [tmp_path / "t.json", *(tmp_path / "out").rglob("*")] if path.is_file()]
    assert {path.suffix for path in made} >= {".jpg", ".png", ".json"}
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_two_detectors_at_once_are_refused(video: Path, tmp_path: Path) -> None:
    words = ["preprocess", str(video), "--out", str(tmp_path / "out"), "--detector", "middle"]
    done = CliRunner().invoke(app, [*words, "--retinaface", "retinaface-resnet50"])
    assert done.exit_code == 1
    assert "--detector middle and --retinaface retinaface-resnet50: give one" in done.stderr
    assert not (tmp_path / "out").exists()
