from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from devtools.shard_files import write_shards
from nrdfer.cli import app
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord, FrameRecord

runner = CliRunner()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def shards(home: Path) -> Path:
    """One set of two shards, where the store keeps them."""
    rng = np.random.default_rng(0)
    clips = []
    for i in range(3):
        frames = rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
        box, points = (1.0, 2.0, 9.0, 11.0), tuple((float(k), 3.0) for k in range(5))
        faces = tuple(FrameRecord(k, True, 0.9, box, points, 0.1) for k in range(4))
        record = ClipRecord("dfew", f"{i:05d}", EMOTIONS[i], "", 4, "0" * 64, frames=faces if i else ())
        clips.append((record, frames))
    folder = home / "store" / "dfew" / "shards" / ("a" * 64)
    folder.mkdir(parents=True)
    write_shards(clips, folder, prefix="dfew", clips_per_shard=2)
    return folder


@pytest.mark.parametrize("named", [True, False])
def test_listing(shards: Path, named: bool) -> None:
    done = runner.invoke(app, ["shards", "ls", *([str(shards)] if named else [])])
    assert done.exit_code == 0, done.output
    assert "3 clips, 12 frames" in done.output
    assert "dfew-000001.tar      1 clips" in done.output


def test_frames_without_records_are_drawn_too(shards: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["shards", "show", "00000", str(shards), "--sheet", str(tmp_path / "clip.png")])
    assert done.exit_code == 0, done.output
    assert cv2.imread(str(tmp_path / "clip.png")) is not None


def test_looking_into_a_clip(shards: Path, tmp_path: Path) -> None:
    done = runner.invoke(app, ["shards", "show", "00002", "--sheet", str(tmp_path / "clip.png")])
    assert done.exit_code == 0, done.output
    record = json.loads(done.output)
    assert (record["emotion"], record["n_frames"], len(record["frames"])) == ("neutral", 4, 4)
    assert record["shard"].endswith("dfew-000001.tar")
    assert record["frames"][0]["box"] == [1.0, 2.0, 9.0, 11.0]
    picture = cv2.imread(str(tmp_path / "clip.png"))
    assert picture is not None
    assert picture.std() > 10


def test_a_clip_that_is_not_there(shards: Path) -> None:
    done = runner.invoke(app, ["shards", "show", "99999"])
    assert done.exit_code == 1
    assert "no clip '99999'" in done.output


def test_verifying_whole_and_damaged_shards(shards: Path) -> None:
    done = runner.invoke(app, ["shards", "verify"])
    assert done.exit_code == 0, done.output
    assert "whole" in done.output
    path = shards / "dfew-000000.tar"
    path.write_bytes(path.read_bytes()[:-512])
    done = runner.invoke(app, ["shards", "verify", str(shards)])
    assert done.exit_code == 1
    assert "1 problems" in done.output
    assert "dfew-000000.tar has" in done.output


def test_without_shards_it_says_how_to_make_them(home: Path) -> None:
    for command in (["ls"], ["verify"], ["show", "00001"]):
        done = runner.invoke(app, ["shards", *command])
        assert done.exit_code == 1
        assert "nrdfer reproduce" in done.output


def test_a_folder_that_holds_none(home: Path) -> None:
    done = runner.invoke(app, ["shards", "ls", str(home)])
    assert done.exit_code == 1
    assert "holds no index.json" in done.output
