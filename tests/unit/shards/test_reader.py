"""Map-style reading: the right frames, from any thread or process, and never silently less."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, ItemsView
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import INDEX, ClipEntry, ShardEntry, ShardIndex
from nrdfer.shards.reader import ShardReader
from nrdfer.video.jpeg import decode_jpeg, encode_jpeg

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]


def decoded(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.stack([decode_jpeg(encode_jpeg(frame, 95)) for frame in frames])


def test_records_and_frames_are_those_written(shards: Path, clips: list[Clip]) -> None:
    reader = ShardReader(shards)
    assert reader.clip_ids == [record.clip_id for record, _ in clips]
    for record, frames in reversed(clips):
        assert reader.record(record.clip_id) == record
        found = reader.frames(record.clip_id)
        assert (found.dtype, found.shape) == (frames.dtype, frames.shape)
        assert np.array_equal(found, decoded(frames))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_frames_at_any_indices(shards: Path, clips: list[Clip], data: st.DataObject) -> None:
    reader = ShardReader(shards)
    record, frames = data.draw(st.sampled_from(clips))
    indices = data.draw(st.lists(st.integers(0, len(frames) - 1), min_size=1, max_size=20))
    assert np.array_equal(reader.frames(record.clip_id, indices), decoded(frames)[indices])
    assert np.array_equal(reader.frames(record.clip_id, np.array(indices)), decoded(frames)[indices])  # type: ignore[arg-type]


def test_a_repeated_frame_is_read_once(shards: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ShardReader(shards)
    reads: list[int] = []
    real = os.pread

    def pread(handle: int, size: int, offset: int) -> bytes:
        reads.append(offset)
        return real(handle, size, offset)

    monkeypatch.setattr(os, "pread", pread)
    reader.frames(clips[0][0].clip_id, [0, 0, 1, 0, 1])
    assert len(reads) == 2


def test_questions_that_make_no_sense(shards: Path, clips: list[Clip]) -> None:
    reader = ShardReader(shards)
    clip_id, n_frames = clips[2][0].clip_id, clips[2][0].n_frames
    with pytest.raises(KeyError, match="no clip 'nobody'"):
        reader.frames("nobody")
    with pytest.raises(KeyError, match="no clip 'nobody'"):
        reader.record("nobody")
    for wrong in (n_frames, -1):
        with pytest.raises(IndexError, match=f"has frames 0 to {n_frames - 1}, not {wrong}"):
            reader.frames(clip_id, [0, wrong])
    with pytest.raises(ValueError, match="no frame was requested"):
        reader.frames(clip_id, [])


def test_threads_share_one_reader(shards: Path, clips: list[Clip]) -> None:
    reader = ShardReader(shards)
    expected = {record.clip_id: decoded(frames) for record, frames in clips}
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda i: (i, reader.frames(reader.clip_ids[i % 10])), range(200)))
    assert all(np.array_equal(frames, expected[reader.clip_ids[i % 10]]) for i, frames in results)
    assert len(reader._handles) == 3


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_reader_can_be_sent_to_other_processes(shards: Path, clips: list[Clip], start: str) -> None:
    reader = ShardReader(shards)
    first = reader.frames(clips[0][0].clip_id)  # its file is open before it is sent
    with ProcessPoolExecutor(2, multiprocessing.get_context(start)) as pool:
        results = list(pool.map(reader.frames, reader.clip_ids))
    assert np.array_equal(results[0], first)
    assert all(np.array_equal(found, decoded(frames)) for found, (_, frames) in zip(results, clips, strict=True))


def test_a_pickled_reader_carries_no_file_descriptors(shards: Path, clips: list[Clip]) -> None:
    reader = ShardReader(shards)
    reader.frames(clips[0][0].clip_id)
    copy = pickle.loads(pickle.dumps(reader))  # noqa: S301
    assert copy._handles == {}
    assert copy.index == reader.index
    assert np.array_equal(copy.frames(clips[5][0].clip_id), decoded(clips[5][1]))


def test_close_gives_descriptors_back(shards: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with ShardReader(shards) as reader:
        for clip_id in reader.clip_ids:
            reader.record(clip_id)
        assert len(os.listdir("/proc/self/fd")) == before + 3  # noqa: PTH208
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert reader.record(reader.clip_ids[0]).clip_id == reader.clip_ids[0]


def test_a_cut_missing_or_scribbled_shard_is_an_error(shards: Path, clips: list[Clip]) -> None:
    index = ShardIndex.load(shards)
    last = clips[3][0].clip_id  # the last of the first shard
    path = shards / "x-000000.tar"
    data = path.read_bytes()
    path.write_bytes(data[: sum(index.clips[last].frames[-1]) - 1])
    with pytest.raises(StoreError, match=r"x-000000\.tar ends before byte .* cut off"):
        ShardReader(shards).frames(last)
    assert np.array_equal(ShardReader(shards).frames(clips[0][0].clip_id), decoded(clips[0][1]))
    offset, size = index.clips[last].frames[0]
    path.write_bytes(data[:offset] + bytes(size) + data[offset + size :])
    with pytest.raises(StoreError, match=f"clip {last} in .*not a picture.*write the shards again"):
        ShardReader(shards).frames(last)
    offset, size = index.clips[last].record
    path.write_bytes(data[:offset] + bytes(size) + data[offset + size :])
    with pytest.raises(StoreError, match=f"clip {last} in .*damaged"):
        ShardReader(shards).record(last)
    path.unlink()
    with pytest.raises(StoreError, match=r"x-000000\.tar is missing"):
        ShardReader(shards).frames(last)


def _set(key: str, value: object) -> Callable[[str], str]:
    import json

    return lambda text: json.dumps({**json.loads(text), key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[:100], "not a whole index"),
        (lambda text: "[]", "not a whole index"),
        (_set("schema", 99), "has schema 99, this version reads 1"),
        (_set("shards", []), "not a whole index"),
        (lambda text: text.replace("x-000000.tar", "../secret.tar"), "not a whole index"),
        (lambda text: text.replace('"n_frames":', '"n_frames":1'), "not a whole index"),
    ],
)
def test_a_damaged_index_is_an_error(shards: Path, change: Callable[[str], str], message: str) -> None:
    path = shards / INDEX
    path.write_text(change(path.read_text()))
    with pytest.raises(StoreError, match=message):
        ShardReader(shards)


def test_frames_of_two_sizes_are_no_clip(shards: Path, clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = iter([(8, 8, 3), (1, 1, 3)])
    monkeypatch.setattr("nrdfer.shards.reader.decode_jpeg", lambda data: np.zeros(next(sizes), np.uint8))
    with pytest.raises(StoreError, match=r"sizes \(8, 8, 3\), \(1, 1, 3\); the shard is damaged"):
        ShardReader(shards).frames(clips[2][0].clip_id, [0, 1])


class Counted(dict[str, ClipEntry]):
    """Counts how often its clips are gone through."""

    passes = 0

    def items(self) -> ItemsView[str, ClipEntry]:
        self.passes += 1
        return super().items()


def test_the_clips_of_every_shard_are_found_in_one_pass() -> None:
    shards = tuple(ShardEntry(f"x-{i:06d}.tar", "0" * 64, 10_000, 10) for i in range(400))
    clips = Counted({f"clip_{i}": ClipEntry(i // 10, (0, 1), ()) for i in range(4000)})
    index = ShardIndex(shards, clips)
    found = [clip_id for shard in range(400) for clip_id in index.clips_of(shard)]
    assert found == list(clips)
    assert clips.passes == 1
