"""Shards streamed through WebDataset, from a folder or a web server, to test the format and measure its speed.

For shards that are stored elsewhere. Training and evaluation on this machine read map-style (`reader`), where an epoch
holds each clip exactly once. WebDataset does not notice a shard that ends early; `stream_clips` does.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import webdataset as wds

from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.shards.index import INDEX, ShardIndex
from nrdfer.video.jpeg import decode_jpeg

Clip = tuple[ClipRecord, npt.NDArray[np.uint8]]
_WEB = ("http://", "https://")
_TIMEOUT_S = 30


def open_index(root: str | Path) -> tuple[ShardIndex, list[str]]:
    """The index of a folder of shards, and the paths or addresses of its shards in order.

    Args:
        root: a local folder, or the http(s) address of one.

    Raises:
        StoreError: there is no whole index.
    """
    if not str(root).startswith(_WEB):
        index = ShardIndex.load(Path(root))
        return index, [str(Path(root) / shard.name) for shard in index.shards]
    address = f"{str(root).rstrip('/')}/{INDEX}"
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310 (http or https, see above)
            text = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise StoreError(f"{address} cannot be read: {error}; is this the address of a folder of shards?") from error
    index = ShardIndex.parse(text, address)
    return index, [f"{str(root).rstrip('/')}/{shard.name}" for shard in index.shards]


def clip_dataset(urls: Sequence[str | Path]) -> wds.WebDataset:
    """An iterable dataset of (record, frames (T, H, W, 3) uint8 RGB), in the order of the shards.

    Loader workers share the shards out among themselves; WebDataset's own methods (``shuffle``, ``with_epoch``) can be
    added. A clip of which frames are missing raises; a shard that ends between two clips is noticed by
    `stream_clips` only.

    Args:
        urls: paths or http(s) addresses of tar files.

    Raises:
        StoreError: an address that cannot be read here.
    """
    names = [str(url) for url in urls]
    for name in names:
        if name.startswith(_WEB):
            if shutil.which("curl") is None:
                raise StoreError(f"reading {name} needs the program curl, which is not installed; install curl")
        elif "://" in name or name.startswith("pipe:"):
            raise StoreError(f"{name}: shards are read from paths and from http(s) addresses")
        elif set("?#;") & set(name):
            raise StoreError(f"{name}: WebDataset cannot open paths that contain ? # or ;; rename the folder")
    return wds.WebDataset(names, shardshuffle=False, empty_check=False).map(decode_sample)


def decode_sample(sample: dict[str, Any]) -> Clip:
    """A WebDataset sample as record and frames.

    Raises:
        StoreError: parts of the clip are missing or damaged.
    """
    key, url = sample["__key__"], sample["__url__"]
    numbers = sorted(int(name.removesuffix(".jpg")) for name in sample if name.endswith(".jpg"))
    try:
        record = ClipRecord.from_dict(json.loads(sample["json"]))
        frames = [decode_jpeg(sample[f"{i:04d}.jpg"]) for i in range(record.n_frames)]
    except KeyError as error:
        raise StoreError(
            f"clip {key} from {url} came without {error} (with {len(numbers)} frames): the shard was cut off; fetch or "
            "write it again"
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"clip {key} from {url}: {error}; the shard is damaged, fetch or write it again") from error
    return record, np.stack(frames)


def stream_clips(root: str | Path) -> Iterator[Clip]:
    """Every clip of a folder of shards once, in writing order, or an error.

    Args:
        root: a local folder, or the http(s) address of one.

    Raises:
        StoreError: the index is missing, or a shard is missing, cut off or damaged.
    """
    index, urls = open_index(root)
    for number, url in enumerate(urls):
        expected = index.clips_of(number)
        arrived: list[str] = []
        try:
            for record, frames in clip_dataset([url]):
                arrived.append(record.clip_id)
                yield record, frames
        except StoreError:
            raise
        except (OSError, ValueError, EOFError, tarfile.TarError) as error:
            raise StoreError(f"{url} cannot be read to its end: {error}; fetch or write it again") from error
        if arrived != expected:
            raise StoreError(
                f"{url}: {len(arrived)} of {len(expected)} clips arrived: it was cut off; fetch or write it again"
            )
