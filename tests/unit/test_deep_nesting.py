"""JSON from outside that is nested deeper than Python reads: an error in words, as for any other damage."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.errors import NrdferError, StoreError, WeightsError
from nrdfer.core.records import ClipRecord, FrameRecord
from nrdfer.preprocessing.spec import Preprocessing
from nrdfer.registry import tags
from nrdfer.registry.file_lists import listed_files
from nrdfer.serving.video_bundle import CONTENTS, bundle_in
from nrdfer.shards.reader import ShardReader

DEEP = "[" * 200_000


def test_preprocessing_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "preprocessing.json").write_text(DEEP)
    with pytest.raises(WeightsError, match=r"preprocessing\.json does not describe preprocessing"):
        Preprocessing.read(tmp_path / "preprocessing.json")


def test_the_list_of_a_versions_files() -> None:
    with pytest.raises(WeightsError, match="is refused: it has no list of its files"):
        listed_files("models:/nr-dfernet-dfew/1", {tags.FILES: DEEP})


def test_the_contents_of_a_video_model(tmp_path: Path) -> None:
    (tmp_path / CONTENTS).write_text(DEEP)
    with pytest.raises(NrdferError, match="does not list a bundle's files"):
        bundle_in(tmp_path)


def test_a_clip_of_a_shard(tmp_path: Path) -> None:
    frames = tuple(FrameRecord(number, False) for number in range(2000))
    record = ClipRecord("c", "00001", "fear", "train", len(frames), "0" * 64, frames=frames)
    write_shards([(record, np.zeros((len(frames), 8, 8, 3), np.uint8))], tmp_path, prefix="a")
    with tarfile.open(tmp_path / "a-000000.tar") as tar:
        member = tar.getmember("00001.json")
    assert member.size > 50_000
    with (tmp_path / "a-000000.tar").open("r+b") as file:
        file.seek(member.offset_data)
        file.write(b"[" * member.size)
    with pytest.raises(StoreError, match=r"clip 00001 .*damaged"):
        ShardReader(tmp_path).record("00001")
