from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from nrdfer.config import ShardsConfig
from nrdfer.emotions import EMOTIONS
from nrdfer.errors import CorpusError
from nrdfer.shards.reader import ShardReader
from nrdfer.stages import shard
from nrdfer.stages.clip_files import SET_ASIDE

CONFIG = ShardsConfig(clips_per_shard=3, image_size=32)


@pytest.fixture
def listing(tmp_path: Path) -> dict[str, Any]:
    """Six clips of two pictures; the last clip has one that is cut short."""
    rows = []
    for number in range(6):
        frames = []
        for frame in range(2):
            path = tmp_path / f"{number}-{frame}.jpg"
            cv2.imwrite(str(path), np.full((64, 64, 3), 40 * number, np.uint8))
            frames.append([str(path), "0" * 64])
        rows.append({"clip_id": f"{number:05d}", "emotion": EMOTIONS[number], "frames": frames, "sha256": "0" * 64})
    broken = Path(rows[5]["frames"][1][0])
    broken.write_bytes(broken.read_bytes()[:50])
    ids = [row["clip_id"] for row in rows]
    folds = {"1": {"train": ids[:3], "test": ids[3:]}, "2": {"train": ids[3:], "test": ids[:3]}}
    return {"clips": rows, "folds": folds, "set_aside": [["99999", "no frames"]]}


def test_pictures_are_resized_once_and_bad_clips_set_aside(listing: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "shards"
    out.mkdir()
    counts = shard.shard_dfew(listing, out, CONFIG)
    assert (counts["clips"], counts["frames"], counts["set_aside"]) == (5, 10, 2)
    reader = ShardReader(out)
    assert reader.frames("00003").shape == (2, 32, 32, 3)
    assert abs(int(reader.frames("00003")[0, 0, 0, 0]) - 120) <= 2
    with (out / SET_ASIDE).open() as handle:
        reasons = {row["clip_id"]: row["reason"] for row in csv.DictReader(handle)}
    assert reasons["99999"] == "no frames"
    assert reasons["00005"].startswith("unreadable picture ")


def test_folds_hold_only_clips_that_are_in_the_shards(listing: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "shards"
    out.mkdir()
    shard.shard_dfew(listing, out, CONFIG)
    shard.write_folds(listing, out, tmp_path)
    folds = shard.read_folds(tmp_path)
    assert folds["1"]["test"] == ["00003", "00004"]
    listing["folds"]["2"]["train"].append("00001")
    with pytest.raises(CorpusError, match=r"fold 2: 1 clips are in both train and test, e\.g\. 00001"):
        shard.write_folds(listing, out, tmp_path)
    listing["folds"] = {"1": {"train": ["00001"], "test": ["00005"]}}
    with pytest.raises(CorpusError, match="fold 1 has 1 training and 0 test clips"):
        shard.write_folds(listing, out, tmp_path)


def test_a_corpus_without_one_usable_clip_is_an_error(tmp_path: Path) -> None:
    (tmp_path / SET_ASIDE).write_text("clip_id,reason\n")
    with pytest.raises(CorpusError, match=r"every one was set aside.*set_aside\.csv"):
        shard.shard_aligned(tmp_path, tmp_path / "out", CONFIG)
