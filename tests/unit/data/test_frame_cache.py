"""Frames from memory are the frames that were read; and a cache that does not fit is told before it is filled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError, TrainingError
from nrdfer.data import frame_cache as cache_module
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache, choose, open_cache
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, Sampling
from nrdfer.shards.reader import ShardReader
from tests.unit.data.drawn import source

CPU, GPU = torch.device("cpu"), torch.device("cuda")
LENGTHS = (20, 3, 17, 40, 16, 25)
PARTS = [np.array([5, 0, 2]), np.array([1, 1]), np.array([], np.int64), np.array([3, 4])]
NEED = sum(LENGTHS) * 24 * 24 * 3


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> ShardReader:
    folder: Path = tmp_path_factory.mktemp("shards")
    clips = source(LENGTHS)
    write_shards(((clips.record(i), clips.frames(i)) for i in clips.clip_ids), folder, prefix="c", clips_per_shard=4)
    return ShardReader(folder)


def _data(reader: ShardReader, strategy: str = "ds") -> ClipDataset:
    settings = AugmentSettings(contrast=0.2)
    return ClipDataset(
        reader, reader.clip_ids, image_size=16, emotions=EMOTIONS, sampling=Sampling(strategy), seed=1, augment=settings
    )


@pytest.mark.parametrize("strategy", ["ds", "ti", "linear"])
@pytest.mark.parametrize(("kind", "on_device"), [("ram", False), ("ram", True), ("gpu", True)])
def test_batches_from_memory_are_bit_for_bit_those_from_shards(
    reader: ShardReader, kind: str, on_device: bool, strategy: str
) -> None:
    data = _data(reader, strategy)
    cache = FrameCache(reader, reader.clip_ids[::-1], kind, CPU, workers=2)
    plain = list(BatchLoader(data, CPU, workers=0, on_device=on_device).batches(PARTS, 1))
    for workers in (0, 2):
        kept = list(BatchLoader(data, CPU, workers=workers, cache=cache, on_device=on_device).batches(PARTS, 1))
        for ours, theirs in zip(kept, plain, strict=True):
            torch.testing.assert_close(ours.x_BTCHW, theirs.x_BTCHW, rtol=0, atol=0)
            assert ours.y_B.tolist() == theirs.y_B.tolist()


def test_what_is_kept_can_be_told(reader: ShardReader) -> None:
    told: list[tuple[int, int]] = []
    for workers in (0, 1, 3):
        told.clear()
        cache = open_cache(
            reader, reader.clip_ids, "ram", CPU, workers=workers, progress=lambda done, of: told.append((done, of))
        )
        assert cache is not None
        assert (cache.kind, cache.bytes, cache.frames, cache.size) == ("ram", NEED, sum(LENGTHS), (24, 24))
        assert told == [(done, 6) for done in range(1, 7)]
        for clip_id in reader.clip_ids:
            np.testing.assert_array_equal(cache.read(clip_id), reader.frames(clip_id))
            np.testing.assert_array_equal(cache.read(clip_id, [2, 0, 2]), reader.frames(clip_id, [2, 0, 2]))


def test_a_frame_of_another_clip_is_never_given(reader: ShardReader) -> None:
    for kind in ("ram", "gpu"):
        cache = FrameCache(reader, reader.clip_ids, kind, CPU)
        for wrong in (-1, 3):
            with pytest.raises(IndexError, match=f"clip 00001 has frames 0 to 2, not {wrong}"):
                cache.read("00001", [0, wrong])
        assert "00001" in cache
        assert "nobody" not in cache


def test_auto_takes_what_leaves_half_of_the_memory_free() -> None:
    assert choose("auto", 50, 100, 100) == "gpu"
    assert choose("auto", 51, 100, 102) == "ram"
    assert choose("auto", 51, 100, 101) == "none"
    assert choose("gpu", 100, 100, 0) == "gpu"
    assert choose("ram", 100, 0, 100) == "ram"


def test_a_kind_asked_for_by_name_must_fit(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "free_bytes", lambda device: 1000 if device == CPU else 2000)
    with pytest.raises(TrainingError, match=rf"ram needs {NEED} bytes .* but 1000 .* set cache to auto or none"):
        open_cache(reader, reader.clip_ids, "ram", CPU, workers=0)
    with pytest.raises(TrainingError, match=rf"gpu needs {NEED} bytes .* but 2000 .* set cache to ram, auto or none"):
        open_cache(reader, reader.clip_ids, "gpu", GPU, workers=0)
    assert open_cache(reader, reader.clip_ids, "auto", GPU, workers=0) is None


def test_auto_on_a_gpu_that_is_too_small_takes_ram(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "free_bytes", lambda device: 2 * NEED - (device == GPU))
    cache = open_cache(reader, reader.clip_ids, "auto", GPU, workers=1)
    assert cache is not None
    assert cache.kind == "ram"
    monkeypatch.setattr(cache_module, "free_bytes", lambda device: 2 * NEED - 1)
    assert open_cache(reader, reader.clip_ids, "auto", GPU, workers=1) is None


def test_a_cpu_is_no_gpu_and_keeps_nothing_unasked(reader: ShardReader) -> None:
    assert open_cache(reader, reader.clip_ids, "auto", CPU, workers=0) is None
    assert open_cache(reader, reader.clip_ids, "none", GPU, workers=0) is None
    with pytest.raises(TrainingError, match="gpu needs a GPU"):
        open_cache(reader, reader.clip_ids, "gpu", CPU, workers=0)
    with pytest.raises(ValueError, match="cache must be one of auto, none, ram, gpu, not 'disk'"):
        open_cache(reader, reader.clip_ids, "disk", CPU, workers=0)


def test_frames_of_different_sizes_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = source(LENGTHS, (24, 32))
    with pytest.raises(TrainingError, match="clip 00000 has frames of 24 x 24 pixels, clip 00001 of 32 x 32; set"):
        open_cache(clips, clips.clip_ids, "ram", CPU, workers=2)
    monkeypatch.setattr(cache_module, "free_bytes", lambda device: 0 if device == GPU else 10**9)
    assert open_cache(clips, clips.clip_ids, "auto", GPU, workers=2) is None


def test_a_list_must_name_each_clip_once(reader: ShardReader) -> None:
    for wrong, message in (([], "0 clips"), (["00001", "00001"], "2 clips to keep in memory, 1 different")):
        with pytest.raises(TrainingError, match=message):
            open_cache(reader, wrong, "ram", CPU, workers=0)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_that_cannot_be_read_ends_it(workers: int) -> None:
    class Broken(MemorySource):
        def frames(self, clip_id, indices=None):  # type: ignore[no-untyped-def]
            if clip_id == "00003":
                raise StoreError("clip 00003 is damaged")
            return super().frames(clip_id, indices)

    inner = source(LENGTHS)
    broken = Broken([(inner.record(i), inner.frames(i)) for i in inner.clip_ids])
    with pytest.raises(StoreError, match="clip 00003 is damaged"):
        open_cache(broken, inner.clip_ids, "ram", CPU, workers=workers)
