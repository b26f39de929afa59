"""Shards read as streams: a WebDataset pipeline a stream, each in a thread of its own, from folders, HTTP or S3.

The order of clips is known beforehand (``stream_order``); a clip waits in memory until it is wanted. No clip is given
out before the whole shard it came in was compared with the index (length, sha256, every clip), because WebDataset does
not notice a shard that ends early. Of each clip only the frames that are wanted are kept, as they are in the shard.
Fetching bytes belongs to ``shard_download``; any clip at any time, to ``reader``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.data.dataset import ReadFrames, StreamedSource
from nrdfer.data.settings import DataSettings
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.stream_order import epoch_order
from nrdfer.shards.stream_reader import ClipBuffer, Indices, IndicesOf, StreamReader

_END_S = 5.0  # for a thread to notice that its stream is closed


def open_clips(shards: Path, settings: DataSettings) -> ShardReader | ShardStream:
    """The clips of a folder of shards, read as `settings` say.

    Raises:
        StoreError: the folder has no readable index.
    """
    return ShardStream(shards, settings) if settings.streamed else ShardReader(shards)


class ShardStream(StreamedSource):
    """Clips of shards in the order of a stream.

    Args:
        folder: holds the index of the shards, with which everything that arrives is compared.
        settings: where the shards are, if not in `folder`; number of streams, and how much they hold.

    Raises:
        StoreError: the folder has no readable index.
    """

    def __init__(self, folder: Path, settings: DataSettings) -> None:
        self.root: str | Path = settings.source or folder
        self.settings = settings
        self.index = ShardIndex.load(folder)

    @property
    def clip_ids(self) -> list[str]:
        """All clips, in the order in which they were written."""
        return list(self.index.clips)

    def record(self, clip_id: str) -> ClipRecord:
        """What the index knows of a clip: id, emotion, number of frames; the rest is empty.

        Raises:
            KeyError: no such clip.
        """
        entry = self.index.clips[clip_id]
        return ClipRecord("", clip_id, entry.emotion, "", entry.n_frames, "")

    def frames(self, clip_id: str, indices: Indices = None) -> npt.NDArray[np.uint8]:
        """A stream has no random access.

        Raises:
            StoreError: always.
        """
        raise StoreError(
            f"clip {clip_id} is in a stream, which is read in its own order; set data: {{reader: indexed}}"
        )

    def order(self, clip_ids: Sequence[str], seed: int, epoch: int | None) -> list[str]:
        """See `nrdfer.shards.stream_order.epoch_order`."""
        return list(epoch_order(self.index, clip_ids, self.settings, seed, epoch).clip_ids)

    @contextmanager
    def opened(
        self, clip_ids: Sequence[str], seed: int, epoch: int | None, wanted: Sequence[str], indices_of: IndicesOf
    ) -> Iterator[ReadFrames]:
        """Read `wanted`, some of the epoch's clips in its order, each once.

        Shards in which nothing is wanted are not read. Several threads may call the reader, which waits for a clip;
        the clips that are waited for at one time must be the next ones.

        Raises:
            ValueError: a clip is wanted twice.
            StoreError: by the reader: a shard is missing, cut off, damaged, or not to be reached.
        """
        if len(set(wanted)) != len(wanted):
            raise ValueError(f"{len(wanted)} clips wanted, {len(set(wanted))} different; a stream brings each once")
        streams = epoch_order(self.index, clip_ids, self.settings, seed, epoch).streams
        buffer = ClipBuffer()
        threads = []
        for number, shards in enumerate(streams):
            clips = [clip_id for clip_id in wanted if self.index.clips[clip_id].shard in shards]
            reader = StreamReader(
                self.index,
                self.root,
                self.settings.ahead,
                shards=shards,
                clips=clips,
                indices_of=indices_of,
                buffer=buffer,
            )
            if clips:
                threads.append(threading.Thread(target=reader.run, name=f"nrdfer-stream-{number}", daemon=True))
        for thread in threads:
            thread.start()
        try:
            yield buffer.read
        finally:
            buffer.close()
            for thread in threads:
                thread.join(_END_S)
