"""Streaming: the same shards through WebDataset, from a folder or from a web server.

For shards that live elsewhere. Training and evaluation on this machine read map-style (`reader`), where an epoch
holds each clip exactly once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import webdataset as wds

from nrdfer.records import ClipRecord


def stream_clips(urls: Sequence[str]) -> Iterator[tuple[ClipRecord, npt.NDArray[np.uint8]]]:
    """Clips with all their frames (T, H, W, 3) RGB, in the order of the shards.

    Args:
        urls: paths or addresses of tar files.

    Raises:
        ValueError: a clip came without some of its frames (a shard that was cut off).
    """
    for sample in wds.WebDataset(list(urls), shardshuffle=False, empty_check=True):
        record = ClipRecord.from_dict(json.loads(sample["json"]))
        names = sorted(name for name in sample if name.endswith(".jpg"))
        if len(names) != record.n_frames:
            raise ValueError(f"clip {record.clip_id}: {len(names)} of {record.n_frames} frames arrived")
        frames = [
            cv2.imdecode(np.frombuffer(sample[n], np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for n in names
        ]
        yield record, np.ascontiguousarray(np.stack(frames))
