"""Streaming through WebDataset gives what the reader gives, from a folder and over HTTP, or an error."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import webdataset as wds

from devtools.shard_stream import clip_dataset, open_index, stream_clips
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.reader import ShardReader

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def address(shards: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(shards)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def assert_same(streamed: list[Clip], shards: Path) -> None:
    reader = ShardReader(shards)
    assert [record.clip_id for record, _ in streamed] == reader.clip_ids
    for record, frames in streamed:
        assert record == reader.record(record.clip_id)
        assert np.array_equal(frames, reader.frames(record.clip_id))


def test_a_folder_streams_what_the_reader_reads(shards: Path) -> None:
    assert_same(list(stream_clips(shards)), shards)
    assert_same(list(stream_clips(str(shards))), shards)


def test_a_web_server_streams_what_the_reader_reads(shards: Path, address: str) -> None:
    assert_same(list(stream_clips(address)), shards)
    assert_same(list(stream_clips(f"{address}/")), shards)


def test_it_is_a_webdataset_that_loaders_can_share(shards: Path) -> None:
    _, urls = open_index(shards)
    dataset = clip_dataset(urls)
    assert isinstance(dataset, wds.WebDataset)
    assert_same(list(dataset), shards)
    for workers in (1, 2):
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=workers)
        streamed = sorted(loader, key=lambda clip: clip[0].clip_id)
        assert [record.clip_id for record, _ in streamed] == ShardReader(shards).clip_ids


def test_frames_beyond_9999_keep_their_order(tmp_path: Path) -> None:
    from devtools.shard_files import write_shards

    n_frames = 10_002
    frames = np.zeros((n_frames, 2, 2, 3), np.uint8)
    frames[9_999:] = [[[[80] * 3]], [[[160] * 3]], [[[240] * 3]]]
    write_shards([(ClipRecord("c", "long", "fear", "train", n_frames, ""), frames)], tmp_path, prefix="x")
    ((_, streamed),) = stream_clips(tmp_path)
    assert streamed[9_998:, 0, 0, 0].tolist() == pytest.approx([0, 80, 160, 240], abs=2)


def test_every_cut_is_an_error_and_whole_clips_come_first(shards: Path) -> None:
    """WebDataset alone yields what it got; cut between or inside members, the stream must say so."""
    index = ShardIndex.load(shards)
    path = shards / "x-000001.tar"
    data = path.read_bytes()
    ends = {clip: sum(index.clips[clip].frames[-1]) for clip in index.clips_of(1)}
    last = max(ends.values())
    before = len(index.clips_of(0))
    for length in [0, 100, 512, *range(1024, last, 1536), last - 1]:
        path.write_bytes(data[:length])
        streamed: list[Clip] = []
        with pytest.raises(StoreError, match=r"x-000001\.tar"):
            for clip in stream_clips(shards):
                streamed.append(clip)
        assert before <= len(streamed) <= before + sum(end <= length for end in ends.values())
        assert all(len(frames) == record.n_frames for record, frames in streamed)


def test_missing_shards_and_servers_are_readable_errors(shards: Path, address: str) -> None:
    (shards / "x-000000.tar").unlink()
    with pytest.raises(StoreError, match=r"x-000000\.tar"):
        list(stream_clips(shards))
    with pytest.raises(StoreError, match=r"x-000000\.tar"):
        list(stream_clips(address))
    with pytest.raises(StoreError, match=r"nothing/index\.json cannot be read"):
        list(stream_clips(f"{address}/nothing"))
    with pytest.raises(StoreError, match="not a finished set"):
        list(stream_clips(shards / "nothing"))


def test_addresses_that_run_commands_are_refused(tmp_path: Path) -> None:
    for bad in ("pipe:touch /tmp/x", "s3://bucket/x.tar", str(tmp_path / "what?.tar")):
        with pytest.raises(StoreError):
            clip_dataset([bad])
