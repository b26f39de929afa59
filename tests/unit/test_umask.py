"""Commands that write faces, under a umask of 077: no file and no folder of theirs can be read by anybody else.

The steps of the job are looked at where the whole job runs (`test_tracking_outage`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from devtools.shard_files import write_shards
from nrdfer.cli import app
from nrdfer.core.records import ClipRecord
from tests.unit.acting import act

PREDICT = "predict {videos} --model {network} --out {out}/predicted --window 0.2 --enhance none"
PREPROCESS = "preprocess {videos} --out {out}/crops --json {out}/clips.json --workers 1"
SHOW = "shards show clip {shards} --sheet {out}/sheets/clip.png"


@pytest.fixture
def private_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        (PREDICT, {".mp4", ".png", ".json", ".csv"}),
        (PREPROCESS, {".jpg", ".png", ".json"}),
        (SHOW, {".png"}),
    ],
    ids=["predict", "preprocess", "shards show"],
)
def test_commands_that_write_faces_obey_the_umask(
    private_umask: None, network_folder: Path, tmp_path: Path, line: str, kinds: set[str]
) -> None:
    videos, shards, out = tmp_path / "videos", tmp_path / "shards", tmp_path / "out"
    act(videos / "a.mp4", face=8, empty=0)
    shards.mkdir()
    pictures = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    write_shards([(ClipRecord("dfew", "clip", "happiness", "", 4, "0" * 64), pictures)], shards, prefix="dfew")
    given = line.format(videos=videos, network=network_folder, shards=shards, out=out)
    done = CliRunner().invoke(app, given.split())
    assert done.exit_code == 0, done.output
    made = [path for path in tmp_path.rglob("*") if videos not in (path, path.parent)]
    assert kinds <= {path.suffix for path in made}
    assert [str(path) for path in made if path.stat().st_mode & 0o077] == []
