"""WebDataset's own loader reads the shards that this project writes, and several loaders share them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import webdataset as wds

from devtools.shard_files import write_shards
from nrdfer.core.records import ClipRecord
from nrdfer.shards.reader import ShardReader


def dataset(shards: Path) -> wds.WebDataset:
    names = [str(shards / shard.name) for shard in ShardReader(shards).index.shards]
    return wds.WebDataset(names, shardshuffle=False, empty_check=False)


def test_each_sample_is_a_clip_with_its_record_and_frames(shards: Path) -> None:
    reader = ShardReader(shards)
    samples = list(dataset(shards).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == reader.clip_ids
    for sample in samples:
        record = reader.record(sample["__key__"])
        assert ClipRecord.from_dict(json.loads(json.dumps(sample["json"]))) == record
        frames = np.stack([sample[f"{number:04d}.jpg"] for number in range(record.n_frames)])
        close = np.abs(frames.astype(int) - reader.frames(record.clip_id)) <= 8  # another JPEG decoder
        assert close.mean() > 0.999


@pytest.mark.parametrize("workers", [1, 2])
def test_loaders_share_them(shards: Path, workers: int) -> None:
    def key_of(sample: dict[str, Any]) -> str:
        return str(sample["__key__"])

    loader: Any = torch.utils.data.DataLoader(dataset(shards).map(key_of), batch_size=None, num_workers=workers)
    assert sorted(loader) == ShardReader(shards).clip_ids


def test_frames_beyond_9999_keep_their_order(tmp_path: Path) -> None:
    n_frames = 10_002
    frames = np.zeros((n_frames, 2, 2, 3), np.uint8)
    frames[9_999:] = [[[[80] * 3]], [[[160] * 3]], [[[240] * 3]]]
    write_shards([(ClipRecord("c", "long", "fear", "train", n_frames, ""), frames)], tmp_path, prefix="x")
    read = ShardReader(tmp_path).frames("long", range(9_998, n_frames))
    assert read[:, 0, 0, 0].tolist() == pytest.approx([0, 80, 160, 240], abs=2)
    (sample,) = dataset(tmp_path)
    numbers = [int(name.removesuffix(".jpg")) for name in sample if name.endswith(".jpg")]
    assert numbers == list(range(n_frames))
