"""Writing shards: the same bytes every time, nothing half-written, memory of one clip."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tarfile
import textwrap
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import webdataset as wds
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import INDEX, ShardIndex
from nrdfer.shards.jpeg import decode_jpeg, encode_jpeg
from nrdfer.shards.verify import verify
from nrdfer.shards.writer import encode_clip, write_shards
from nrdfer.store import Store, file_sha256

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_members_order_and_index(shards: Path, clips: list[Clip]) -> None:
    index = ShardIndex.load(shards)
    assert sorted(path.name for path in shards.iterdir()) == [INDEX, *(f"x-00000{i}.tar" for i in range(3))]
    assert [shard.clips for shard in index.shards] == [4, 4, 2]
    for shard in index.shards:
        path = shards / shard.name
        assert (shard.bytes, shard.sha256) == (path.stat().st_size, file_sha256(path))
    names = []
    for shard in index.shards:
        with tarfile.open(shards / shard.name) as tar:
            for member in tar:
                names.append(member.name)
                assert (member.mtime, member.uid, member.mode, member.isreg()) == (0, 0, 0o644, True)
    expected = []
    for record, _ in clips:
        expected += [f"{record.clip_id}.json", *(f"{record.clip_id}.{i:04d}.jpg" for i in range(record.n_frames))]
    assert names == expected
    assert list(index.clips) == [record.clip_id for record, _ in clips]
    for record, _ in clips:
        assert (index.clips[record.clip_id].n_frames, index.clips[record.clip_id].emotion) == (
            record.n_frames,
            record.emotion,
        )


def test_spans_are_the_members_content(shards: Path, clips: list[Clip]) -> None:
    index = ShardIndex.load(shards)
    for record, frames in clips:
        entry = index.clips[record.clip_id]
        data = (shards / index.shards[entry.shard].name).read_bytes()
        offset, size = entry.record
        assert json.loads(data[offset : offset + size]) == json.loads(json.dumps(record.to_dict()))
        for (offset, size), frame in zip(entry.frames, frames, strict=True):
            assert data[offset : offset + size] == encode_jpeg(frame, 95)


def test_the_same_clips_give_the_same_bytes(
    shards: Path, clips: list[Clip], tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("again")
    time.sleep(1.1)  # a tar's times have whole seconds
    write_shards(iter(clips), other, prefix="x", clips_per_shard=4)
    assert contents(other) == contents(shards)


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    """Another hash seed, time zone and user name change nothing."""
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from nrdfer.core.records import ClipRecord
        from nrdfer.shards.writer import write_shards
        rng = np.random.default_rng(0)
        clips = [(ClipRecord("c", f"{i}", "fear", "train", 3, ""), rng.integers(0, 256, (3, 20, 20, 3), np.uint8))
                 for i in range(5)]
        out.mkdir()
        write_shards(clips, out, prefix="x", clips_per_shard=2)
    """
    there = "import sys\nfrom pathlib import Path\nout = Path(sys.argv[1])\n" + textwrap.dedent(code)
    surroundings = {"PYTHONHASHSEED": "1", "TZ": "UTC5", "USER": "somebody", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", there, str(tmp_path / "there")], check=True, env=surroundings)
    exec(textwrap.dedent(code), {"out": tmp_path / "here"})  # noqa: S102 (the text above)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "here")) == 4


def test_the_bytes_are_those_of_webdatasets_own_writer(shards: Path, clips: list[Clip], tmp_path: Path) -> None:
    for number, start in enumerate(range(0, len(clips), 4)):
        with (tmp_path / "theirs").open("wb") as stream:
            tar = wds.TarWriter(
                stream, encoder=False, mtime=0, user="nrdfer", group="nrdfer", mode=0o644, compress=False
            )
            for record, frames in clips[start : start + 4]:
                for extension, data in encode_clip(record, frames, 95):
                    tar.write({"__key__": record.clip_id, extension: data})
            tar.close()
        assert (tmp_path / "theirs").read_bytes() == (shards / f"x-{number:06d}.tar").read_bytes()


def test_jpeg_keeps_the_picture(clips: list[Clip]) -> None:
    frame = clips[3][1][0]
    decoded = decode_jpeg(encode_jpeg(frame, 95))
    assert decoded.shape == frame.shape
    assert np.abs(decoded.astype(int) - frame).mean() < 3
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert decode_jpeg(encode_jpeg(red, 95))[8, 8].tolist() == pytest.approx([254, 0, 0], abs=2)
    for bad in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            encode_jpeg(bad, 95)  # type: ignore[arg-type]
    for junk in (b"", b"no picture"):
        with pytest.raises(ValueError, match="not a picture"):
            decode_jpeg(junk)


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    per_shard=st.integers(1, 5),
    max_bytes=st.none() | st.integers(1, 60_000),
)
def test_every_clip_is_in_one_shard_within_the_limits(
    tmp_path_factory: pytest.TempPathFactory,
    new_clip: Callable[[int, int], Clip],
    lengths: list[int],
    per_shard: int,
    max_bytes: int | None,
) -> None:
    out = tmp_path_factory.mktemp("shards")
    made = [new_clip(number, n) for number, n in enumerate(lengths)]
    seen: list[tuple[int, int]] = []
    index = write_shards(
        made,
        out,
        prefix="x",
        clips_per_shard=per_shard,
        max_bytes=max_bytes,
        progress=lambda *done: seen.append(done),
    )
    assert index == ShardIndex.load(out)
    assert seen == [(i + 1, 0) for i in range(len(made))]
    assert verify(out) == []
    assert [clip for number in range(len(index.shards)) for clip in index.clips_of(number)] == list(index.clips)
    for number, shard in enumerate(index.shards):
        assert shard.clips == len(index.clips_of(number)) <= per_shard
        if max_bytes is not None and shard.clips > 1:
            assert max(sum(index.clips[clip].frames[-1]) for clip in index.clips_of(number)) <= max_bytes


def test_only_one_clip_is_held(tmp_path: Path, new_clip: Callable[[int, int], Clip]) -> None:
    alive: list[weakref.ref[npt.NDArray[np.uint8]]] = []
    most = 0

    def source() -> Iterator[Clip]:
        nonlocal most
        for number in range(20):
            record, frames = new_clip(number, 2)
            alive.append(weakref.ref(frames))
            yield record, frames
            del frames
            most = max(most, sum(ref() is not None for ref in alive))

    write_shards(source(), tmp_path, prefix="x", clips_per_shard=100)
    assert most <= 1


def test_wrong_clips_are_refused_and_leave_nothing(tmp_path: Path, new_clip: Callable[[int, int], Clip]) -> None:
    record, frames = new_clip(1, 3)
    long = ClipRecord("c", "a" * 92, None, "train", 3, "")
    for bad, message in [
        ([(record, frames), (record, frames)], "two clips have the id train_Fear_00001"),
        ([(record, frames[:2])], "record says 3 frames"),
        ([(record, frames[..., 0])], "the array is"),
        ([(long, frames)], "too long"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_shards(bad, tmp_path, prefix="x")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="clips_per_shard=0"):
        write_shards([], tmp_path, prefix="x", clips_per_shard=0)


def test_a_failing_source_leaves_no_half_shard(tmp_path: Path, new_clip: Callable[[int, int], Clip]) -> None:
    def source() -> Iterator[Clip]:
        for number in range(3):
            yield new_clip(number, 2)
        raise RuntimeError("the video ended")

    with pytest.raises(RuntimeError, match="the video ended"):
        write_shards(source(), tmp_path, prefix="x", clips_per_shard=2)
    assert [path.name for path in tmp_path.iterdir()] == ["x-000000.tar"]
    with pytest.raises(StoreError, match="not a finished set"):
        ShardIndex.load(tmp_path)


def write_for_ever(out: Path, ready: int) -> None:
    """Write shards of four clips until killed; says so through `ready` once two shards are out."""
    frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)

    def source() -> Iterator[Clip]:
        for i in range(10**6):
            yield ClipRecord("c", f"{i}", "fear", "train", 8, ""), frames
            if i == 9:
                os.write(ready, b"!")

    write_shards(source(), out, prefix="x", clips_per_shard=4)


def test_kill_9_never_shows_a_half_shard(tmp_path: Path) -> None:
    """Whatever tar has a tar's name is whole, whenever the writer dies."""
    whole = 0
    for i in range(12):
        out = tmp_path / str(i)
        out.mkdir()
        said, ready = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                write_for_ever(out, ready)
            finally:
                os._exit(1)
        os.close(ready)
        assert os.read(said, 1) == b"!"
        os.close(said)
        time.sleep(0.0017 * i)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert not (out / INDEX).exists()
        for path in out.glob("*.tar"):
            with tarfile.open(path) as tar:
                assert len(tar.getnames()) == 4 * 9
            assert path.stat().st_size % 10_240 == 0
            whole += 1
    assert whole >= 24


def test_a_disk_without_room_leaves_nothing_and_says_so(tmp_path: Path, new_clip: Callable[[int, int], Clip]) -> None:
    """The kernel refuses to let the second shard grow; the store reports it and publishes nothing."""
    said, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
            source = (new_clip(number, 4 if number < 4 else 60) for number in range(8))

            def build(out: Path) -> dict[str, int]:
                return {"clips": len(write_shards(source, out, prefix="x", clips_per_shard=4).clips)}

            Store(tmp_path).build("a/shards", code_version="1", config={}, inputs={}, build=build)
        except BaseException as error:
            os.write(tell, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(tell)
    with os.fdopen(said) as answer:
        message = answer.read()
    assert message.startswith(f"StoreError: no room to write a/shards below {tmp_path / 'a' / 'shards'}")
    assert list((tmp_path / "a" / "shards").iterdir()) == []
