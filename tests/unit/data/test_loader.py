"""The same batches, whoever makes them; and nothing is left behind."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError, TrainingError
from nrdfer.data import loader as loader_module
from nrdfer.data.augment_gpu import MAX_LEVELS
from nrdfer.data.dataset import ClipDataset, ClipSource
from nrdfer.data.frame_cache import FrameCache
from nrdfer.data.in_memory import MemorySource
from nrdfer.data.loader import Batch, BatchLoader
from nrdfer.data.settings import AugmentSettings, Sampling
from tests.unit.data.drawn import source

CPU = torch.device("cpu")
LENGTHS = (20, 3, 17, 40, 16, 25, 31, 18, 22, 19, 60)
ALL = [np.arange(0, 4), np.array([9, 4, 4]), np.array([], np.int64), np.arange(7, 11)]


def _data(clips: ClipSource | None = None, *, augment: bool = True, strategy: str = "ds") -> ClipDataset:
    clips = clips or source(LENGTHS)
    changes = AugmentSettings(contrast=0.3) if augment else None
    ids = [f"{i:05d}" for i in range(len(LENGTHS))]
    return ClipDataset(
        clips, ids, image_size=16, emotions=EMOTIONS, sampling=Sampling(strategy), seed=3, augment=changes
    )


def _bytes(batches: Sequence[Batch]) -> list[bytes]:
    return [batch.x_BTCHW.contiguous().numpy().tobytes() for batch in batches]


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("nrdfer")]


class Watched(MemorySource):
    """Counts what is read, and fails on one clip."""

    def __init__(self, bad: str = "") -> None:
        inner = source(LENGTHS)
        super().__init__([(inner.record(clip_id), inner.frames(clip_id)) for clip_id in inner.clip_ids])
        self.bad, self.asked = bad, 0

    def frames(self, clip_id: str, indices: Sequence[int] | None = None) -> npt.NDArray[np.uint8]:
        self.asked += 1
        if clip_id == self.bad:
            raise StoreError("the shard is damaged")
        return super().frames(clip_id, indices)


@pytest.mark.parametrize(("augment", "strategy"), [(True, "ds"), (False, "ds"), (True, "ti")])
def test_batches_are_bit_for_bit_those_of_the_data_set(augment: bool, strategy: str) -> None:
    data = _data(augment=augment, strategy=strategy)
    expected = [np.ascontiguousarray(data.batch(part, 5)[0]).tobytes() for part in ALL]
    for workers, ahead in [(0, 2), (1, 1), (2, 2), (3, 5)]:
        made = list(BatchLoader(data, CPU, workers=workers, ahead=ahead).batches(ALL, 5))
        assert _bytes(made) == expected
        assert [batch.positions.tolist() for batch in made] == [part.tolist() for part in ALL]
        assert [batch.y_B.tolist() for batch in made] == [data.labels[part].tolist() for part in ALL]
        assert {tuple(batch.x_BTCHW.shape[1:]) for batch in made} == {(16, 3, 16, 16)}
        assert not _threads()
    other = _bytes(list(BatchLoader(data, CPU, workers=2).batches(ALL, 6)))
    assert (other == expected) is not augment


@pytest.mark.parametrize("on_device", [False, True])
def test_processes_that_share_a_batch_see_what_one_would_see(on_device: bool) -> None:
    data = _data()
    order = data.order(2)
    (whole,) = BatchLoader(data, CPU, workers=1, on_device=on_device).batches([order], 2)
    for rank, world in [(0, 2), (1, 2), (2, 3)]:
        (share,) = BatchLoader(data, CPU, workers=2, on_device=on_device).batches([order[rank::world]], 2)
        torch.testing.assert_close(share.x_BTCHW, whole.x_BTCHW[rank::world], rtol=0, atol=0)


@pytest.mark.parametrize("on_device", [False, True])
def test_convolutions_take_the_memory_as_it_is(on_device: bool) -> None:
    (batch,) = BatchLoader(_data(), CPU, workers=0, on_device=on_device).batches(ALL[:1], 1)
    x_NCHW = batch.x_BTCHW.flatten(0, 1)
    assert x_NCHW.is_contiguous(memory_format=torch.channels_last)
    assert x_NCHW.data_ptr() == batch.x_BTCHW.data_ptr()


@pytest.mark.parametrize("sides", [(24,), (24, 32)])
def test_augmenting_on_the_device_gives_the_same_up_to_rounding(sides: tuple[int, ...]) -> None:
    data = _data(source(LENGTHS, sides))
    here = list(BatchLoader(data, CPU, workers=0).batches(ALL, 1))
    there = list(BatchLoader(data, CPU, workers=2, on_device=True).batches(ALL, 1))
    assert _bytes(there) == _bytes(list(BatchLoader(data, CPU, workers=0, on_device=True).batches(ALL, 1)))
    strongest = 1.6 * 1.3  # brightness and contrast
    for ours, theirs in zip(here, there, strict=True):
        assert ours.x_BTCHW.shape == theirs.x_BTCHW.shape
        torch.testing.assert_close(
            ours.x_BTCHW, theirs.x_BTCHW, rtol=0, atol=2 * strongest * MAX_LEVELS["smooth"] / 255
        )


def test_no_more_is_read_ahead_than_asked_for() -> None:
    clips = Watched()
    batches = BatchLoader(_data(clips), CPU, workers=2, ahead=2).batches([np.arange(2)] * 9, 1)
    next(batches)
    for _ in range(1000):
        if clips.asked == 6:
            break
        time.sleep(0.005)
    time.sleep(0.05)
    assert clips.asked == 2 * (1 + 2)
    batches.close()  # type: ignore[attr-defined]


def test_leaving_early_ends_the_threads() -> None:
    batches = BatchLoader(_data(), CPU, workers=2).batches(ALL * 3, 1)
    next(batches)
    assert _threads()
    batches.close()  # type: ignore[attr-defined]
    assert not _threads()
    dropped = BatchLoader(_data(), CPU, workers=2).batches(ALL * 3, 1)
    next(dropped)
    del dropped
    gc.collect()
    assert not _threads()
    with pytest.raises(RuntimeError, match="the network failed"):
        for _ in BatchLoader(_data(), CPU, workers=2).batches(ALL * 3, 1):
            raise RuntimeError("the network failed")
    gc.collect()
    assert not _threads()


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_clip_that_cannot_be_read_is_named_after_the_batches_before_it(workers: int, on_device: bool) -> None:
    loader = BatchLoader(_data(Watched(bad="00009")), CPU, workers=workers, on_device=on_device)
    batches = loader.batches(ALL, 1)
    assert next(batches).positions.tolist() == [0, 1, 2, 3]
    with pytest.raises(StoreError, match="damaged") as caught:
        next(batches)
    assert "clip 00009" in "".join(caught.value.__notes__)
    assert not _threads()


def test_opencv_starts_no_threads_beside_the_workers_and_is_restored() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        first = BatchLoader(_data(), CPU, workers=1).batches(ALL, 1)
        second = BatchLoader(_data(), CPU, workers=1).batches(ALL, 1)
        next(first)
        next(second)
        assert cv2.getNumThreads() == 1
        first.close()  # type: ignore[attr-defined]
        assert cv2.getNumThreads() == 1
        second.close()  # type: ignore[attr-defined]
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("workers", [0, 2])
def test_memory_is_used_again_only_when_nobody_holds_it(workers: int) -> None:
    data, parts = _data(), [np.arange(4)] * 12
    loader = BatchLoader(data, CPU, workers=workers)
    kept = list(loader.batches(parts, 1))
    assert len({batch.x_BTCHW.data_ptr() for batch in kept}) == 12
    views = [batch.x_BTCHW[1:, :3].numpy() for batch in kept]
    copies = [view.copy() for view in views]
    del kept
    seen = {batch.x_BTCHW.data_ptr() for batch in loader.batches(parts, 2)}
    assert len(seen) < 12
    for view, copy in zip(views, copies, strict=True):
        np.testing.assert_array_equal(view, copy)


def test_the_time_for_which_the_consumer_waited_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = Watched()
    monkeypatch.setattr(loader_module.time, "perf_counter", lambda: clips.asked)
    batches = BatchLoader(_data(clips), CPU, workers=0).batches(ALL, 1)
    assert [batch.waited for batch in batches] == [4, 3, 0, 4]


def test_what_cannot_be_meant_is_refused() -> None:
    with pytest.raises(ValueError, match="workers"):
        BatchLoader(_data(), CPU, workers=-1)
    with pytest.raises(ValueError, match="ahead"):
        BatchLoader(_data(), CPU, workers=1, ahead=0)
    data = _data()
    part = FrameCache(data.source, data.clip_ids[1:], "ram", CPU)
    with pytest.raises(TrainingError, match=r"lacks 1 of 11 clips, e\.g\. 00000"):
        BatchLoader(data, CPU, workers=0, cache=part)
    there = FrameCache(data.source, data.clip_ids, "gpu", CPU)
    with pytest.raises(TrainingError, match="are on cpu, but batches are wanted on meta"):
        BatchLoader(data, torch.device("meta"), workers=0, cache=there)
