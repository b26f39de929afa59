"""A small corpus, and what two processes of one machine make of it: what several machines are compared with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from devtools.shard_files import write_shards
from tests.unit.training import machines
from tests.unit.training.tiny import spots


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of shards and folds."""
    folder = tmp_path_factory.mktemp("corpus")
    source = spots(28)
    (folder / "shards").mkdir()
    clips = ((source.record(clip_id), source.frames(clip_id)) for clip_id in source.clip_ids)
    write_shards(clips, folder / "shards", prefix="spots", clips_per_shard=8)
    ids = source.clip_ids
    (folder / "folds.json").write_text(json.dumps({"1": {"train": ids[:21], "test": ids[21:]}}))
    return folder


@pytest.fixture(scope="module")
def undisturbed(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of two processes that this project started on one machine."""
    folder = tmp_path_factory.mktemp("undisturbed")
    line = [sys.executable, "-m", "nrdfer.cli", *machines.arguments(corpus, folder / "out", devices=2)]
    environment = machines.environment(folder / "home")
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=machines.PATIENCE)
    assert done.returncode == 0, done.stderr
    return machines.content(folder / "out")
