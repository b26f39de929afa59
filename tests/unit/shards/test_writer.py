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
from hypothesis import given, settings
from hypothesis import strategies as st

from devtools.shard_files import encoded, write_shards
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import INDEX, ShardIndex
from nrdfer.shards.verify import verify
from nrdfer.shards.writer import shard_name, write_group
from nrdfer.store import Store, file_sha256
from nrdfer.video.jpeg import encode_jpeg

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
        from nrdfer.video.jpeg import encode_jpeg
        from nrdfer.shards.writer import publish_groups, write_group
        rng = np.random.default_rng(0)
        clips = [(ClipRecord("c", f"{i}", "fear", "train", 3, ""),
                  [encode_jpeg(frame, 95) for frame in rng.integers(0, 256, (3, 20, 20, 3), np.uint8)])
                 for i in range(5)]
        out.mkdir()
        names = [f"x-{number}.tar" for number in range(3)]
        for number, name in enumerate(names):
            write_group(clips[2 * number : 2 * number + 2], out.parent, name)
        publish_groups(out.parent, names, out)
    """
    there = "import sys\nfrom pathlib import Path\nout = Path(sys.argv[1])\n" + textwrap.dedent(code)
    (tmp_path / "there").mkdir()
    (tmp_path / "here").mkdir()
    surroundings = {"PYTHONHASHSEED": "1", "TZ": "UTC5", "USER": "somebody", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", there, str(tmp_path / "there" / "out")], check=True, env=surroundings)
    exec(textwrap.dedent(code), {"out": tmp_path / "here" / "out"})  # noqa: S102 (the text above)
    assert contents(tmp_path / "there" / "out") == contents(tmp_path / "here" / "out")
    assert len(contents(tmp_path / "here" / "out")) == 4


def test_the_bytes_are_those_of_a_plain_tar_without_anything_of_this_machine(shards: Path, clips: list[Clip]) -> None:
    """Spelt out, so that another release of WebDataset cannot change what digests in stores are made of."""
    for number, start in enumerate(range(0, len(clips), 4)):
        expected = b""
        for record, frames in clips[start : start + 4]:
            text = json.dumps(record.to_dict(), sort_keys=True, separators=(",", ":")).encode()
            pictures = {f"{i:04d}.jpg": encode_jpeg(frame, 95) for i, frame in enumerate(frames)}
            for extension, data in {"json": text, **pictures}.items():
                header = tarfile.TarInfo(f"{record.clip_id}.{extension}")
                header.size, header.mtime, header.mode = len(data), 0, 0o644
                header.uid, header.gid, header.uname, header.gname = 0, 0, "nrdfer", "nrdfer"
                expected += header.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % 512)
        expected += bytes(1024)
        expected += bytes(-len(expected) % 10_240)
        assert (shards / f"x-{number:06d}.tar").read_bytes() == expected


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=12),
    per_shard=st.integers(1, 5),
)
def test_every_clip_is_in_one_shard_within_the_limits(
    tmp_path_factory: pytest.TempPathFactory,
    new_clip: Callable[[int, int], Clip],
    lengths: list[int],
    per_shard: int,
) -> None:
    out = tmp_path_factory.mktemp("shards")
    made = [new_clip(number, n) for number, n in enumerate(lengths)]
    index = write_shards(made, out, prefix="x", clips_per_shard=per_shard)
    assert index == ShardIndex.load(out)
    assert verify(out) == []
    assert [clip for number in range(len(index.shards)) for clip in index.clips_of(number)] == list(index.clips)
    for number, shard in enumerate(index.shards):
        assert shard.clips == len(index.clips_of(number)) <= per_shard


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
        ([(record, frames[..., 0])], "a frame must be"),
        ([(long, frames)], "too long"),
    ]:
        with pytest.raises(ValueError, match=message):
            write_shards(bad, tmp_path, prefix="x")
        assert list(tmp_path.iterdir()) == []


def write_for_ever(out: Path, ready: int) -> None:
    """Write shards of four clips until killed; says so through `ready` once two shards are out."""
    frames = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8)

    for number in range(10**6):
        clips = [ClipRecord("c", f"{4 * number + i}", "fear", "train", 8, "") for i in range(4)]
        write_group((encoded((record, frames)) for record in clips), out, shard_name("x", number))
        if number == 1:
            os.write(ready, b"!")


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
