"""Order of the clips of an epoch that is read shard by shard, computed from the index before anything is read.

Shards are shuffled and dealt to a fixed number of streams; each stream shuffles its clips in a buffer (WebDataset's
``shuffle``); the epoch takes a clip of each stream in turn. So the order follows from seed, epoch and settings alone,
not from ranks, threads, network or restarts, and an epoch holds each clip once. Where the number of streams and the
batch are multiples of the number of ranks, a rank's clips come from streams of its own, up to an epoch's last clips.
Reading belongs to ``stream``.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import webdataset as wds

from nrdfer.data.settings import DataSettings
from nrdfer.shards.index import ShardIndex

_SHARDS, _BUFFER = 3, 4  # separate streams of random numbers; see nrdfer.data.dataset and nrdfer.runtime.determinism


@dataclass(frozen=True)
class EpochOrder:
    """One pass over some clips."""

    clip_ids: tuple[str, ...]  # in the order of the batches
    streams: tuple[tuple[int, ...], ...]  # numbers of the shards that each stream reads, in order


def epoch_order(
    index: ShardIndex, clip_ids: Collection[str], settings: DataSettings, seed: int, epoch: int | None
) -> EpochOrder:
    """Order of `clip_ids`; other clips of their shards are left out.

    Args:
        index: of the shards.
        clip_ids: each once.
        settings: number of streams, and their buffer.
        seed: of the shuffling.
        epoch: counts from 1; None: nothing is shuffled, for testing.

    Raises:
        KeyError: the index has no such clip.
        ValueError: a clip is listed twice.
    """
    listed = frozenset(clip_ids)
    if len(listed) != len(clip_ids):
        raise ValueError(f"{len(clip_ids)} clips listed, {len(listed)} different; a stream brings each once")
    clips_of = {number: [c for c in index.clips_of(number) if c in listed] for number in range(len(index.shards))}
    if sum(map(len, clips_of.values())) != len(listed):
        raise KeyError(f"no clip {min(listed - index.clips.keys())!r} in the index of the shards")
    shards = [number for number, clips in clips_of.items() if clips]
    if epoch is not None:
        rng = np.random.default_rng([seed, _SHARDS, epoch])
        shards = [shards[place] for place in rng.permutation(len(shards))]
    streams: list[list[int]] = [[] for _ in range(settings.streams)]
    held = [0] * settings.streams
    for shard in shards:  # to the stream with the fewest clips, so that all end at nearly the same time
        stream = held.index(min(held))
        streams[stream].append(shard)
        held[stream] += len(clips_of[shard])
    drawn = []
    for number, shards_of_stream in enumerate(streams):
        clips = [clip_id for shard in shards_of_stream for clip_id in clips_of[shard]]
        drawn.append(clips if epoch is None else _shuffled(clips, settings, (seed, _BUFFER, epoch, number)))
    turns = itertools.zip_longest(*drawn)
    ordered = tuple(clip_id for turn in turns for clip_id in turn if clip_id is not None)
    return EpochOrder(ordered, tuple(map(tuple, streams)))


def _shuffled(clips: list[str], settings: DataSettings, seed: tuple[int, ...]) -> list[str]:
    """Clips as a shuffle buffer lets them out, which is full before the first leaves it."""
    size = max(1, settings.buffer // settings.streams)
    rng = random.Random(int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]))
    return list(wds.shuffle(size, initial=size, rng=rng)(iter(clips)))
