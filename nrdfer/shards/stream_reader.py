"""One stream of shards: a WebDataset pipeline, the thread's work that runs it, and the clips that wait to be taken.

Which streams there are, and for whom, belongs to ``stream``; their order to ``stream_order``.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import webdataset as wds
from webdataset.tariterators import group_by_keys, tar_file_expander

from nrdfer.core.coerce import brief
from nrdfer.core.errors import StoreError
from nrdfer.shards.index import ShardIndex
from nrdfer.shards.shard_download import ShardDownload, place_of
from nrdfer.video.jpeg import decode_jpeg

Indices = Sequence[int] | None
IndicesOf = Callable[[str], Indices]
Jpegs = Mapping[int, bytes]


@dataclass
class Progress:
    """How far the clips of one stream were taken."""

    taken: int = 0


@dataclass
class Kept:
    """A clip that waits to be taken: its JPEGs by number, and the stream it came from."""

    jpegs: Jpegs
    progress: Progress


@dataclass
class ClipBuffer:
    """Where clips wait, between the threads that read shards and those that decode."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    kept: dict[str, Kept] = field(default_factory=dict)
    error: str = ""
    closed: bool = False

    def read(self, clip_id: str, indices: Indices = None) -> npt.NDArray[np.uint8]:
        """Wait for a clip and take it: its frames (T, H, W, 3) at `indices`, or all of them."""
        with self.changed:
            self.changed.wait_for(lambda: clip_id in self.kept or self.closed or self.error)
            if clip_id not in self.kept:
                raise StoreError(self.error or f"clip {clip_id} was asked for after its stream was closed")
            clip = self.kept.pop(clip_id)
            clip.progress.taken += 1
            self.changed.notify_all()
        try:
            pictures = {i: decode_jpeg(clip.jpegs[i]) for i in (clip.jpegs if indices is None else indices)}
            return np.stack([pictures[i] for i in (sorted(pictures) if indices is None else indices)])
        except (KeyError, ValueError) as error:
            raise StoreError(f"clip {clip_id}: {brief(str(error))}; write the shards again") from error

    def put(self, clips: Mapping[str, Kept]) -> None:
        """Let clips be taken."""
        with self.changed:
            self.kept.update(clips)
            self.changed.notify_all()

    def fail(self, message: str) -> None:
        """End all waiting with an error; the first counts."""
        with self.changed:
            self.error = self.error or message
            self.changed.notify_all()

    def close(self) -> None:
        """End all waiting."""
        with self.changed:
            self.closed = True
            self.kept.clear()
            self.changed.notify_all()


class StreamReader:
    """One stream: reads its shards one after the other, the next when it will soon be wanted.

    Args:
        index: of the shards.
        root: folder or address of the shards.
        ahead: shards that are read before they are needed.
        shards: to read, in order; those without a clip that is wanted are left out.
        clips: that are wanted, in the order in which they will be taken.
        indices_of: frames of a clip to keep; None: all.
        buffer: receives the clips.
    """

    def __init__(
        self,
        index: ShardIndex,
        root: str | Path,
        ahead: int,
        *,
        shards: Sequence[int],
        clips: Sequence[str],
        indices_of: IndicesOf,
        buffer: ClipBuffer,
    ) -> None:
        self.index, self.root, self.ahead = index, root, ahead
        self.clips, self.indices_of, self.buffer = frozenset(clips), indices_of, buffer
        self.progress = Progress()
        first: dict[int, int] = {}  # of each shard: the first turn at which a clip of it is taken
        for number, clip_id in enumerate(clips):
            first.setdefault(self.index.clips[clip_id].shard, number)
        self.shards = [shard for shard in shards if shard in first]
        # at which turn this shard, or one that is read after it, is wanted first
        self.needed = list(itertools.accumulate((first[shard] for shard in reversed(self.shards)), min))[::-1]
        self.staged: dict[str, Kept] = {}  # of the shard that is being read
        self.arrived: list[str] = []

    def run(self) -> None:
        """Read all shards; what goes wrong is left in the buffer."""
        try:
            for sample in self.pipeline():
                self.staged[sample["__key__"]] = Kept(sample["jpegs"], self.progress)
        except Exception as error:  # raised again in the threads that wait
            words = brief(str(error.args[0] if error.args else error))  # WebDataset adds to an error's arguments
            if isinstance(error, StoreError):
                self.buffer.fail(str(error.args[0]))
            else:
                self.buffer.fail(
                    f"a shard from {self.root} is no whole tar ({type(error).__name__}: {words}); upload it again, or "
                    "write the shards again"
                )

    def pipeline(self) -> wds.DataPipeline:
        """Shards -> files -> clips -> wanted clips with their wanted frames."""
        return wds.DataPipeline(
            self.downloads,
            tar_file_expander,
            functools.partial(group_by_keys, keys=key_and_suffix),
            self.note,
            wds.select(lambda sample: sample["__key__"] in self.clips),
            wds.map(self.keep),
        )

    def downloads(self) -> Iterator[dict[str, Any]]:
        """Each shard as an open download, which is checked when the next one is asked for."""
        for number, shard in enumerate(self.shards):
            if not self.wait_for(number):
                return
            entry = self.index.shards[shard]
            download = ShardDownload(place_of(self.root, entry.name), entry, lambda: self.buffer.closed)
            try:
                yield {"url": download.place, "stream": download}
                download.finish()
                if self.arrived != self.index.clips_of(shard):
                    raise StoreError(
                        f"shard {entry.name} from {download.place} holds {len(self.arrived)} clips, its index "
                        f"{entry.clips}, or others; upload it again with its index"
                    )
            finally:
                download.close()
            self.buffer.put(self.staged)
            self.staged, self.arrived = {}, []

    def wait_for(self, number: int) -> bool:
        """Wait until the shard of this number may be read; false if the stream was closed meanwhile."""
        turn = self.needed[number - self.ahead] if number >= self.ahead else 0
        with self.buffer.changed:
            self.buffer.changed.wait_for(lambda: self.progress.taken >= turn or self.buffer.closed or self.buffer.error)
            return not (self.buffer.closed or self.buffer.error)

    def note(self, samples: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Pass on every sample, and note its clip."""
        for sample in samples:
            self.arrived.append(sample["__key__"])
            yield sample

    def keep(self, sample: dict[str, Any]) -> dict[str, Any]:
        """The frames of a sample that are wanted, by their numbers."""
        indices = self.indices_of(sample["__key__"])
        numbers = range(self.index.clips[sample["__key__"]].n_frames) if indices is None else indices
        jpegs = {number: sample[f"{number:04d}.jpg"] for number in numbers if f"{number:04d}.jpg" in sample}
        return {"__key__": sample["__key__"], "jpegs": jpegs}


def key_and_suffix(name: str) -> tuple[str, str]:
    """Clip id and the rest of a member's name: ``a.0001.jpg`` -> a, 0001.jpg; ``a.json`` -> a, json.

    WebDataset's own rule ends a key at its first dot.
    """
    parts = name.rsplit(".", 2 if name.endswith(".jpg") else 1)
    return parts[0], ".".join(parts[1:])
