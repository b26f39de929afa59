"""Damaged indices and shards: a clip's own frames, or an error in words; and never other content without a word."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.shards.index import INDEX, ShardIndex
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import verify
from nrdfer.store.manifest import MANIFEST, write_manifest
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import damaged_bytes, damaged_json

TAR = "x-000000.tar"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of two frames in one shard."""
    folder = tmp_path_factory.mktemp("good")
    rng = np.random.default_rng(0)
    clips = [
        (
            ClipRecord("made-up", f"clip_{i}", "fear", "train", 2, "0" * 64, "none", (FrameRecord(0, False),) * 2),
            np.repeat(rng.integers(0, 255, (2, 4, 4, 3), np.uint8), 4, axis=1).repeat(4, axis=2),
        )
        for i in range(3)
    ]
    write_shards(clips, folder, prefix="x", clips_per_shard=4)
    return folder


def read_all(folder: Path) -> dict[str, ClipRecord]:
    with ShardReader(folder) as reader:
        for clip_id in reader.clip_ids:
            reader.frames(clip_id)
        return {clip_id: reader.record(clip_id) for clip_id in reader.clip_ids}


def test_a_damaged_index_gives_clips_or_words(good: Path, tmp_path: Path) -> None:
    value = json.loads((good / INDEX).read_text())
    shutil.copy(good / TAR, tmp_path)

    def run(data: bytes) -> None:
        (tmp_path / INDEX).write_bytes(data)
        index = ShardIndex.load(tmp_path)
        for clip in index.clips.values():
            end = index.shards[clip.shard].bytes
            assert all(0 <= start <= start + size <= end for start, size in (clip.record, *clip.frames))
        assert ShardIndex.parse(index.to_json().encode(), "again") == index
        read_all(tmp_path)

    tally = fuzz("index of shards", lambda rng: damaged_json(value, rng, separators=(",", ":")), run)
    assert tally.words and tally.results


def test_a_damaged_shard_gives_clips_or_words(good: Path, tmp_path: Path) -> None:
    whole = (good / TAR).read_bytes()
    shutil.copy(good / INDEX, tmp_path)

    def run(data: bytes) -> None:
        (tmp_path / TAR).write_bytes(data)
        assert data == whole or verify(tmp_path)
        for clip_id, record in read_all(tmp_path).items():
            assert record.clip_id == clip_id

    tally = fuzz("shard", lambda rng: damaged_bytes(whole, rng), run, slower=2)
    assert tally.words and tally.results


def test_index_and_shard_changed_together_are_told_by_the_manifest(good: Path, tmp_path: Path) -> None:
    index, whole = ShardIndex.load(good).to_dict(), (good / TAR).read_bytes()
    for name in (INDEX, TAR):
        shutil.copy(good / name, tmp_path)
    facts = {"asset": "x/shards", "digest": "0" * 64, "code_version": "1", "config": {}, "inputs": {}, "counts": {}}
    write_manifest(tmp_path, facts, 0.0)
    assert verify(tmp_path) == []
    numbers = itertools.count()

    def run(data: bytes) -> None:
        if data == whole:
            return
        (tmp_path / TAR).write_bytes(data)
        shard = {**index["shards"][0], "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (tmp_path / INDEX).write_text(json.dumps({**index, "shards": [shard]}))
        next(numbers)
        assert any(MANIFEST in problem for problem in verify(tmp_path))

    fuzz("index and shard together", lambda rng: damaged_bytes(whole, rng), run, slower=2)
    assert next(numbers) > 0


def test_the_fuzz_test_of_shards_would_see_a_frame_of_another_clip(good: Path, tmp_path: Path) -> None:
    shutil.copytree(good, tmp_path / "shards")
    value = json.loads((good / INDEX).read_text())
    names = list(value["clips"])
    value["clips"][names[0]]["record"] = value["clips"][names[1]]["record"]
    (tmp_path / "shards" / INDEX).write_text(json.dumps(value))
    with pytest.raises(Exception, match="its record is of another clip"):
        read_all(tmp_path / "shards")
