"""A stream of shards brings what the indexed reader reads: each clip once an epoch, or an error in words."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from devtools.shard_files import write_shards
from devtools.shard_servers import FolderServer, in_environment, serve_folder, serve_s3
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError, TrainingError
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, DataSettings
from nrdfer.runtime.distributed import Ranks
from nrdfer.shards import shard_download
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.stream import ShardStream
from nrdfer.shards.stream_order import epoch_order
from nrdfer.shards.stream_reader import key_and_suffix

STREAM = DataSettings(reader="stream", streams=2, buffer=6)
BATCH = 4
CLIPS, SHARD = 23, 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of one colour each, in shards of three."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    clips = []
    for number in range(CLIPS):
        frames = np.repeat(rng.integers(0, 255, (1, 16, 16, 3), dtype=np.uint8), 3 + number % 4, axis=0)
        clips.append((ClipRecord("dfew", f"{number:05d}", "fear", "", len(frames), "0" * 64), frames))
    write_shards(clips, folder, prefix="s", clips_per_shard=SHARD)
    return folder


@pytest.fixture
def copied(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Shards to damage, and no pause between attempts."""
    monkeypatch.setattr(shard_download, "_FIRST_PAUSE_S", 0.01)
    shutil.copytree(corpus, tmp_path / "copied")
    return tmp_path / "copied"


@pytest.fixture
def server(copied: Path) -> Iterator[FolderServer]:
    with serve_folder(copied) as running:
        yield running


def dataset(shards: Path, settings: DataSettings = STREAM, *, test: bool = False, listed: int = 20) -> ClipDataset:
    source = ShardStream(shards, settings) if settings.streamed else ShardReader(shards)
    ids = sorted(source.clip_ids)[CLIPS - listed :]
    return ClipDataset(
        source, ids, image_size=12, emotions=EMOTIONS, seed=5, augment=None if test else AugmentSettings()
    )


def seen(data: ClipDataset, epoch: int, *, workers: int = 0, world: int = 1, begin: int = 0) -> list[tuple[str, str]]:
    """Clips of an epoch in the order of its batches, all ranks' together, with digests of what the network sees."""
    order = data.test_order() if data.augment is None else data.order(epoch)
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)][begin:]
    found: dict[int, tuple[str, str]] = {}
    for rank in range(world):
        ranks, loader = Ranks(rank, world), BatchLoader(data, torch.device("cpu"), workers=workers)
        loaded = list(loader.batches(ranks.shares(batches), epoch))
        assert len(loaded) == len(batches)  # every rank computes as many
        for whole, batch in zip(batches, loaded, strict=True):
            own = len(ranks.share(whole))
            for position, x_TCHW in zip(batch.positions[:own], batch.x_BTCHW, strict=False):
                assert int(position) not in found
                digest = hashlib.sha256(x_TCHW.contiguous().numpy().tobytes()).hexdigest()
                found[int(position)] = data.clip_ids[position], digest
    return [found[int(position)] for batch in batches for position in batch]


def test_an_epoch_is_the_indexed_readers_clips_augmented_alike_in_another_order(corpus: Path) -> None:
    streamed, indexed = seen(dataset(corpus), 2), seen(dataset(corpus, DataSettings()), 2)
    assert sorted(streamed) == sorted(indexed)
    assert streamed != indexed
    assert [clip for clip, _ in streamed] != [clip for clip, _ in seen(dataset(corpus), 3)]


@pytest.mark.parametrize(("workers", "world"), [(2, 1), (0, 2), (3, 2), (1, 3)])
def test_batches_are_the_same_for_any_workers_and_ranks_and_after_a_restart(
    corpus: Path, workers: int, world: int
) -> None:
    reference = seen(dataset(corpus), 1)
    assert seen(dataset(corpus), 1, workers=workers, world=world) == reference
    for begin in range(1, 5):
        assert seen(dataset(corpus), 1, workers=workers, world=world, begin=begin) == reference[begin * BATCH :]


def test_ranks_read_shards_of_their_own(corpus: Path, copied: Path, server: FolderServer) -> None:
    settings = DataSettings("stream", server.address, streams=2, buffer=6)
    data, order = dataset(copied, settings), dataset(copied, settings).order(1)
    batches = [order[start : start + BATCH] for start in range(0, 16, BATCH)]
    asked = []
    for rank in range(2):
        server.seen.clear()
        for _ in BatchLoader(data, torch.device("cpu"), workers=0).batches(Ranks(rank, 2).shares(batches), 1):
            pass
        asked.append({name for name, _ in server.seen})
    assert asked[0] and asked[1]
    assert not asked[0] & asked[1]


def test_testing_brings_each_clip_once_and_ranks_take_neighbouring_batches(corpus: Path) -> None:
    data = dataset(corpus, test=True)
    assert sorted(clip for clip, _ in seen(data, 0, workers=2)) == data.clip_ids
    batches = [data.test_order()[start : start + BATCH] for start in range(0, len(data), BATCH)]
    parts = [Ranks(rank, 3).part(batches) for rank in range(3)]
    assert [part.tolist() for part in itertools.chain(*parts)] == [batch.tolist() for batch in batches]


def test_memory_is_bounded_by_the_settings(tmp_path: Path) -> None:
    frames = np.zeros((1, 8, 8, 3), np.uint8)
    many = [(ClipRecord("dfew", f"{number:05d}", "fear", "", 1, "0" * 64), frames) for number in range(240)]
    write_shards(many, tmp_path, prefix="m", clips_per_shard=SHARD)
    settings = DataSettings("stream", streams=2, buffer=8, ahead=1)
    stream = ShardStream(tmp_path, settings)
    order = epoch_order(stream.index, stream.clip_ids, settings, 0, 1)
    most = 0
    with stream.opened(stream.clip_ids, 0, 1, order.clip_ids, lambda _: (0,)) as read:
        kept = read.__self__.kept  # type: ignore[attr-defined]
        for clip_id in order.clip_ids:
            most = max(most, len(kept))
            read(clip_id, (0,))
            most = max(most, len(kept))
    assert 0 < most <= settings.buffer + settings.streams * (settings.ahead + 1) * SHARD


def test_dots_do_not_split_a_clips_id() -> None:
    assert key_and_suffix("a.b-1.0003.jpg") == ("a.b-1", "0003.jpg")
    assert key_and_suffix("a.b.json") == ("a.b", "json")


def test_oversampling_and_random_access_are_refused(corpus: Path) -> None:
    data = dataset(corpus)
    with pytest.raises(TrainingError, match="reader: indexed"):
        data.order(1, oversample=True)
    with pytest.raises(StoreError, match="its own order"):
        data.source.frames(data.clip_ids[0])


def test_a_web_server_that_fails_for_a_while_changes_nothing(corpus: Path, copied: Path, server: FolderServer) -> None:
    server.faults = {
        "s-000001.tar": [("cut", 3000), 500, ("cut", 0), ("cut", 700)],
        "s-000002.tar": [503, ("cut", 1)],
    }
    streamed = seen(dataset(copied, DataSettings("stream", server.address, streams=2, buffer=6)), 1, workers=2)
    assert streamed == seen(dataset(corpus), 1)
    assert not any(server.faults.values())


def test_a_broken_connection_continues_where_it_broke(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 128, 128, 3), np.uint8)
    write_shards([(ClipRecord("dfew", "a", "fear", "", 100, ""), noise)], tmp_path, prefix="s")
    entry = ShardIndex.load(tmp_path).shards[0]
    assert entry.bytes > 1_500_000
    with serve_folder(tmp_path) as server:
        server.faults = {entry.name: [("cut", 1_400_000), 500]}
        download = shard_download.ShardDownload(f"{server.address}/{entry.name}", entry)
        server.cuts_allowed.clear()
        content = download.read(1_000_000)  # what has not been taken when the connection breaks is lost
        server.cuts_allowed.set()
        while part := download.read(10_240):
            content += part
        download.finish()
        download.close()
    assert content == (tmp_path / entry.name).read_bytes()
    (_, first), *others = server.seen
    assert first == ""
    assert len(others) == 2
    # up to what the client had not taken yet
    assert all(1_000_000 <= int(wanted.removeprefix("bytes=").rstrip("-")) <= 1_400_000 for _, wanted in others)


def test_a_server_without_ranges_is_read_again_from_the_start(corpus: Path, copied: Path) -> None:
    with serve_folder(copied, ranges=False) as server:
        server.faults = {"s-000001.tar": [("cut", 3000), ("cut", 100)]}
        settings = DataSettings("stream", server.address, streams=2, buffer=6)
        assert seen(dataset(copied, settings), 1) == seen(dataset(corpus), 1)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (404, "is missing"),
        (403, "403"),
        ("text/html", "web page"),
        (500, "500.* 6 times"),
        (("cut", 5), "6 times at byte"),
    ],
)
def test_a_server_that_keeps_failing_is_an_error_that_names_shard_and_address(
    copied: Path, server: FolderServer, fault: int | str | tuple[str, int], words: str
) -> None:
    server.faults = {"s-000001.tar": [fault] * (1 if fault in (404, 403, "text/html") else 2000)}
    if isinstance(fault, tuple):
        server.faults = {"s-000001.tar": [("cut", 5), *[("cut", 0)] * 2000]}
    with pytest.raises(StoreError, match=words) as raised:
        seen(dataset(copied, DataSettings("stream", server.address)), 1, workers=1)
    assert "s-000001.tar" in str(raised.value)
    assert server.address in str(raised.value)


def test_no_clip_of_a_damaged_shard_is_given_out(copied: Path) -> None:
    """WebDataset alone yields what it got, whatever follows it."""
    index = ShardIndex.load(copied)
    path = copied / "s-000001.tar"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[index.clips[index.clips_of(1)[-1]].frames[-1][0] + 5] ^= 1
    other = (copied / "s-000000.tar").read_bytes()
    damages = {
        "cut off": [whole[:length] for length in (0, 100, 512, 5000, len(whole) - 1)],
        "expected is": [bytes(flipped), other.ljust(len(whole), b"\0")[: len(whole)]],
        "longer": [whole + b"\0"],
        "no tar": [b"<html>".ljust(len(whole), b" ")],
    }
    for words, contents in damages.items():
        for content in contents:
            path.write_bytes(content)
            data = dataset(copied, test=True, listed=CLIPS)
            given: list[str] = []
            with pytest.raises(StoreError, match=words) as raised:
                for batch in BatchLoader(data, torch.device("cpu"), workers=0).batches(
                    [data.test_order()[place : place + 1] for place in range(CLIPS)], 0
                ):
                    given += [data.clip_ids[position] for position in batch.positions]
            assert "s-000001.tar" in str(raised.value)
            assert not set(given) & set(index.clips_of(1))


def test_a_shard_with_other_clips_than_its_index_says_is_refused(copied: Path) -> None:
    text = (copied / "index.json").read_text()
    index = ShardIndex.load(copied)
    (copied / "index.json").write_text(text.replace(index.clips_of(1)[0], "99999"))
    with pytest.raises(StoreError, match="holds 3 clips, its index 3, or others"):
        seen(dataset(copied, test=True, listed=CLIPS), 0)


def test_leaving_early_ends_the_threads(copied: Path, server: FolderServer) -> None:
    import threading

    data = dataset(copied, DataSettings("stream", server.address))
    batches = list(np.array_split(data.order(1), 5))
    loaded = BatchLoader(data, torch.device("cpu"), workers=2).batches(batches, 1)
    next(iter(loaded))
    loaded.close()  # type: ignore[attr-defined]
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("nrdfer-")]


def test_an_s3_server_brings_the_same(corpus: Path, copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moto.server", reason="needs moto[server]")
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs")
    with serve_s3(copied) as (address, environment), in_environment(environment):
        shard_download._filesystem.cache_clear()
        s3fs.S3FileSystem.clear_instance_cache()
        settings = DataSettings("stream", address, streams=2, buffer=6)
        assert seen(dataset(copied, settings), 1, workers=2) == seen(dataset(corpus), 1)
        with pytest.raises(StoreError, match=r"from s3://shards/nothing/s-\d+\.tar is missing"):
            seen(dataset(copied, DataSettings("stream", "s3://shards/nothing", streams=1)), 1)
    shard_download._filesystem.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    "source", ["pipe:touch x", "file:///x", "simplecache::http://x/y", "http://u:p@x/y", "s3://b/p?k=v", "ftp://x/y"]
)
def test_addresses_that_run_commands_or_hold_secrets_are_refused(source: str) -> None:
    with pytest.raises(ValueError, match="source must be") as raised:
        DataSettings("stream", source)
    assert "u:p" not in str(raised.value)
