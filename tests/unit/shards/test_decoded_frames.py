"""Decoded frames in one file of all processes: the frames of the shards, made once, verified, and shared."""

from __future__ import annotations

import errno
import gc
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from devtools.shard_files import write_shards
from nrdfer.cli import app
from nrdfer.core import disk
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError, TrainingError
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache, FrameSizesError
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, Sampling
from nrdfer.shards import decoded_frames
from nrdfer.shards.decoded_frames import shared_cache
from nrdfer.shards.reader import ShardReader
from nrdfer.store import decoded
from nrdfer.store.decoded import FRAMES, decoded_store, list_decoded, remove
from tests.unit.data.drawn import source

CPU = torch.device("cpu")
LENGTHS = (20, 3, 17, 40, 16, 25)
NEED = sum(LENGTHS) * 24 * 24 * 3
PARTS = [np.array([4, 0, 2]), np.array([1, 1]), np.array([3])]


def _shards(folder: Path, sides: tuple[int, ...] = (24,)) -> ShardReader:
    clips = source(LENGTHS, sides)
    folder.mkdir()
    write_shards(((clips.record(i), clips.frames(i)) for i in clips.clip_ids), folder, prefix="c", clips_per_shard=4)
    return ShardReader(folder)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShardReader:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    return _shards(tmp_path / "shards")


def _file() -> Path:
    (found,) = list_decoded(decoded_store())
    return found.path / FRAMES


def _open(reader: ShardReader, workers: int = 0) -> FrameCache:
    return shared_cache(reader, reader.clip_ids[1:], CPU, workers=workers)


@pytest.mark.parametrize("strategy", ["ds", "ti"])
def test_batches_are_bit_for_bit_those_from_shards(reader: ShardReader, strategy: str) -> None:
    data = ClipDataset(
        reader, reader.clip_ids[1:], image_size=16, emotions=EMOTIONS, sampling=Sampling(strategy),
        augment=AugmentSettings(contrast=0.2),
    )  # fmt: skip
    cache = _open(reader, workers=2)
    assert (cache.kind, cache.bytes, cache.frames, cache.size) == ("shared", NEED, sum(LENGTHS), (24, 24))
    for on_device in (False, True):
        plain = BatchLoader(data, CPU, workers=0, on_device=on_device).batches(PARTS, 1)
        kept = BatchLoader(data, CPU, workers=2, cache=cache, on_device=on_device).batches(PARTS, 1)
        for ours, theirs in zip(kept, plain, strict=True):
            torch.testing.assert_close(ours.x_BTCHW, theirs.x_BTCHW, rtol=0, atol=0)


def test_it_is_made_once_and_for_all_clips(reader: ShardReader) -> None:
    told: list[tuple[int, int]] = []
    first = shared_cache(reader, reader.clip_ids[:2], CPU, workers=1, progress=lambda *done: told.append(done))
    assert told == [(done, 6) for done in range(1, 7)]
    second = shared_cache(reader, reader.clip_ids[2:], CPU, workers=1, progress=lambda *done: told.append(done))
    assert len(told) == 6
    for clip_id in reader.clip_ids:
        for cache in (first, second):
            np.testing.assert_array_equal(cache.read(clip_id, [2, 0]), reader.frames(clip_id, [2, 0]))
    assert _file().stat().st_size == NEED


def test_what_a_process_writes_into_its_memory_does_not_reach_the_file(reader: ShardReader) -> None:
    cache, before = _open(reader), _file().read_bytes()
    cache.read("00001")[:] = 7
    assert _file().read_bytes() == before
    np.testing.assert_array_equal(_open(reader).read("00001"), reader.frames("00001"))


def test_other_shards_have_another_file(reader: ShardReader, tmp_path: Path) -> None:
    _open(reader)
    clips = source(LENGTHS[::-1])
    (tmp_path / "others").mkdir()
    write_shards(((clips.record(i), clips.frames(i)) for i in clips.clip_ids), tmp_path / "others", prefix="c")
    others = ShardReader(tmp_path / "others")
    np.testing.assert_array_equal(_open(others).read("00001"), others.frames("00001"))
    assert len(list_decoded(decoded_store())) == 2


@pytest.mark.parametrize("harm", ["cut off", "changed", "gone"])
def test_a_damaged_file_is_made_again(reader: ShardReader, harm: str, caplog: pytest.LogCaptureFixture) -> None:
    _open(reader)
    file = _file()
    if harm == "cut off":
        os.truncate(file, NEED // 2)
    elif harm == "changed":
        content = bytearray(file.read_bytes())
        content[NEED // 2] ^= 1
        file.write_bytes(content)
    else:
        file.unlink()
    again = _open(reader)
    np.testing.assert_array_equal(again.read("00003"), reader.frames("00003"))
    assert "is damaged" in caplog.text and ".damaged" in caplog.text


def test_a_disk_without_room_is_told_before_the_work(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: NEED - 1)
    with pytest.raises(StoreError, match=rf"shared needs {NEED:,} bytes .* cache to ram, auto or none"):
        _open(reader)
    assert list_decoded(decoded_store()) == []


def test_a_disk_that_fills_meanwhile_leaves_nothing(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(decoded_frames, "refuse_other_size", full)
    with pytest.raises(StoreError, match=r"no room to write frames below .* Nothing was published"):
        _open(reader)
    assert [path for path in decoded_store().root.rglob("*") if path.name == FRAMES] == []


def test_damaged_shards_are_not_decoded(reader: ShardReader) -> None:
    shard = next(reader.root.glob("*.tar"))
    content = bytearray(shard.read_bytes())
    content[-2000] ^= 1
    shard.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        _open(reader)
    assert list_decoded(decoded_store()) == []


def test_frames_of_different_sizes_and_clips_in_memory_are_refused(reader: ShardReader, tmp_path: Path) -> None:
    with pytest.raises(FrameSizesError, match="clip 00000 has frames of 24 x 24 pixels, clip 00001 of 32 x 32"):
        _open(_shards(tmp_path / "mixed", (24, 32)))
    clips = source(LENGTHS)
    with pytest.raises(TrainingError, match="clips are in memory; set cache to ram, auto or none"):
        shared_cache(clips, clips.clip_ids, CPU, workers=0)
    with pytest.raises(TrainingError, match="2 clips to keep in memory, 1 different"):
        shared_cache(reader, ["00001", "00001"], CPU, workers=0)


def _starter(shards: Path, together: Callable[[], object], answers: list[int]) -> None:
    reader, made = ShardReader(shards), list[int]()
    together()
    cache = shared_cache(reader, reader.clip_ids, CPU, workers=1, progress=lambda done, _: made.append(done))
    np.testing.assert_array_equal(cache.read("00003"), reader.frames("00003"))
    answers.append(len(made))


def test_of_two_that_start_at_once_one_makes_it(reader: ShardReader) -> None:
    answers: list[int] = []
    together = threading.Barrier(2).wait
    starters = [threading.Thread(target=_starter, args=(reader.root, together, answers)) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join()
    assert sorted(answers) == [0, len(LENGTHS)]


_KILLED = """
import os, signal, sys, pathlib, torch
from nrdfer.shards.decoded_frames import shared_cache
from nrdfer.shards.reader import ShardReader
reader = ShardReader(pathlib.Path(sys.argv[1]))
shared_cache(reader, reader.clip_ids, torch.device("cpu"), workers=0,
             progress=lambda done, _: done == 3 and os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_kill_while_it_is_made_leaves_what_the_next_one_removes(reader: ShardReader) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(reader.root)], env=dict(os.environ), timeout=120)
    assert done.returncode == -signal.SIGKILL
    left = list(decoded_store().root.rglob(FRAMES))
    assert len(left) == 1 and left[0].parent.name.startswith(".tmp-")
    assert list_decoded(decoded_store()) == []
    np.testing.assert_array_equal(_open(reader).read("00003"), reader.frames("00003"))
    assert list(decoded_store().root.rglob(FRAMES)) == [_file()]


def test_one_in_use_stays_and_others_are_removed(reader: ShardReader) -> None:
    run = CliRunner()
    cache = _open(reader)
    (found,) = list_decoded(decoded_store())
    assert (found.clips, found.bytes, found.in_use) == (6, NEED, True)
    told = run.invoke(app, ["store", "decoded", "--remove"])
    assert told.exit_code == 0 and "in use" in told.output and _file().exists()
    expected = cache.read("00002").copy()
    del cache
    assert not list_decoded(decoded_store())[0].in_use
    assert '"in_use": false' in run.invoke(app, ["store", "decoded", "--json"]).output
    told = run.invoke(app, ["store", "decoded", "--remove"])
    assert told.exit_code == 0 and "removed" in told.output and "0 files of decoded frames" in told.output
    assert list_decoded(decoded_store()) == []
    np.testing.assert_array_equal(_open(reader).read("00002"), expected)


def test_one_that_is_removed_while_it_is_opened_is_made_again(
    reader: ShardReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped, times = decoded_frames._mapped, list[int]()

    def removed_first(folder: Path, layout: object) -> object:
        if not times:
            times.append(1)
            assert remove(decoded_store(), list_decoded(decoded_store())[0])
        return mapped(folder, layout)  # type: ignore[arg-type]

    monkeypatch.setattr(decoded_frames, "_mapped", removed_first)
    np.testing.assert_array_equal(_open(reader).read("00002"), reader.frames("00002"))


def test_the_store_verifies_it_too(reader: ShardReader) -> None:
    _open(reader)
    os.truncate(_file(), 10)
    told = CliRunner().invoke(app, ["store", "verify"])
    assert told.exit_code == 1 and "frames" in told.output
    assert CliRunner().invoke(app, ["store", "verify", "--repair"]).exit_code == 0
    assert list_decoded(decoded_store()) == []
    CliRunner().invoke(app, ["store", "decoded", "--remove"])
    assert not (decoded_store().root / ".damaged").exists()


def test_what_may_not_be_opened_is_left(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(reader)
    gc.collect()
    path, opened = _file(), Path.open

    def refused(self: Path, *how: Any, **more: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(self, *how, **more)

    monkeypatch.setattr(Path, "open", refused)
    (found,) = list_decoded(decoded_store())
    assert found.in_use and not remove(decoded_store(), found) and path.exists()


def test_one_that_is_removed_while_it_is_opened_is_not_there(
    reader: ShardReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(reader)
    gc.collect()
    path, locked = _file(), decoded.lock

    def removed(handle: Any, path: Path, **how: Any) -> bool:
        if how.get("shared"):
            shutil.rmtree(path.parent)
        return locked(handle, path, **how)

    monkeypatch.setattr(decoded, "lock", removed)
    with pytest.raises(FileNotFoundError):
        decoded.open_in_use(path.parent)


def test_a_machine_that_maps_no_such_file_says_so(reader: ShardReader, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(reader)
    gc.collect()

    def refused(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(np, "memmap", refused)
    with pytest.raises(TrainingError, match="cache to none"):
        _open(reader)
    gc.collect()
    assert not list_decoded(decoded_store())[0].in_use
