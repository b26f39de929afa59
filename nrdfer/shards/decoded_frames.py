"""Decoded frames of a set of shards as one file that all processes of a machine map into memory.

Trainings side by side then share one copy in the kernel's page cache, where each would otherwise hold its own. The file
is named by what determines its bytes, the shards and the decoder, and holds every clip of them in the index's order;
the bytes are those that `ShardReader.frames` returns. Where the file is belongs to `nrdfer.store.decoded`; how frames
are taken from it to `nrdfer.data.frame_cache`.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from nrdfer.core import disk
from nrdfer.core.errors import StoreError, TrainingError
from nrdfer.core.progress import Progress
from nrdfer.data.dataset import ClipSource
from nrdfer.data.frame_cache import FrameCache, Kept, Layout, decoded_clips, measure, open_cache, refuse_other_size
from nrdfer.shards.index import INDEX
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import refuse_damaged
from nrdfer.store import Store
from nrdfer.store.decoded import FRAMES, decoded_store, open_in_use
from nrdfer.store.verified import checked_sha256

ASSET = "frames"
_CODE_VERSION = "1"  # raised when the layout of the file changes
_TRIES = 3  # at a file that is removed between finding and opening it
_log = logging.getLogger(__name__)


def open_frames(
    source: ClipSource,
    clip_ids: Sequence[str],
    kind: str,
    device: torch.device,
    *,
    workers: int,
    progress: Progress | None = None,
) -> FrameCache | None:
    """A cache of any kind: ``shared`` is `shared_cache`, the others are `nrdfer.data.frame_cache.open_cache`."""
    if kind == "shared":
        return shared_cache(source, clip_ids, device, workers=workers, progress=progress)
    return open_cache(source, clip_ids, kind, device, workers=workers, progress=progress)


def shared_cache(
    source: ClipSource,
    clip_ids: Sequence[str],
    device: torch.device,
    *,
    workers: int,
    progress: Progress | None = None,
    store: Store | None = None,
) -> FrameCache:
    """Frames of `clip_ids` in the file that all processes share, which is made first if it is missing.

    Two processes that need it make it once: the second waits. A damaged one is moved away and made again.

    Args:
        source: the shards.
        clip_ids: which clips, each once.
        device: the training's.
        workers: threads that decode; 0: the caller's.
        progress: called with (clips done, clips) while the file is made.
        store: of decoded frames; the project's if not given.

    Raises:
        TrainingError: the clips are not of shards; frames have different sizes; a clip is listed twice.
        StoreError: no room on the disk, or the shards are damaged; nothing was made.
    """
    if not isinstance(source, ShardReader):
        raise TrainingError(
            "cache: shared keeps the frames of shards in one file, but this training's clips are in memory; set cache "
            "to ram, auto or none"
        )
    measure(source, clip_ids)  # each once
    layout = measure(source, source.clip_ids)
    store = store or decoded_store()
    for _ in range(_TRIES):
        folder = _made(store, source, layout, workers, progress)
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            return FrameCache(source, clip_ids, "shared", device, layout=layout, kept=_mapped(folder, layout))
    raise StoreError(f"the decoded frames in {store.root} are removed again and again while they are opened; stop that")


def _made(store: Store, reader: ShardReader, layout: Layout, workers: int, progress: Progress | None) -> Path:
    """Folder of the file, made now or earlier."""

    def build(out: Path) -> Mapping[str, Any]:
        refuse_damaged(reader.root)  # the name says which shards these frames are of
        _refuse_full_disk(store.root, layout)
        clips, size = reader.clip_ids, layout[2]
        with (out / FRAMES).open("xb") as file:  # written, not mapped: a full disk is then an error, not a signal
            for done, (clip_id, frames_THWC) in enumerate(decoded_clips(reader, clips, workers), start=1):
                refuse_other_size(clips[0], size, clip_id, frames_THWC)
                file.write(np.ascontiguousarray(frames_THWC).data)
                if progress is not None:
                    progress(done, len(clips))
        return {"clips": len(clips), "frames": layout[1], "height": size[0], "width": size[1]}

    made = store.build(
        ASSET,
        code_version=_CODE_VERSION,
        config={"decoder": f"opencv {cv2.__version__}", "machine": platform.machine()},
        inputs={"shards": checked_sha256(reader.root / INDEX)},
        build=build,
    )
    what = "found" if made.up_to_date else "made"
    _log.info("decoded frames of %d clips were %s in %s", len(reader.clip_ids), what, made.path)
    return made.path


def _refuse_full_disk(root: Path, layout: Layout) -> None:
    """Refuse before the work what would fill the disk.

    Raises:
        StoreError: it would.
    """
    need, free = _bytes(layout), disk.free_bytes(root)
    if need > free:
        raise StoreError(
            f"cache: shared needs {need:,} bytes ({need / 1e9:.1f} GB) in {root} for the decoded frames, but {free:,} "
            "are free there; free some space, set NRDFER_HOME to a folder on a larger disk, or set the engine's cache "
            "to ram, auto or none. `nrdfer store decoded --remove` removes those that no process reads"
        )


def _mapped(folder: Path, layout: Layout) -> Kept:
    """The file's frames (N, H, W, 3), in memory that all processes share, and its handle, which marks it as in use.

    Raises:
        FileNotFoundError: it was removed.
        TrainingError: this machine does not let a process map so much.
    """
    handle = open_in_use(folder)
    shape = (layout[1], *layout[2], 3)
    try:
        # copy on write: nothing that a process does to its memory reaches the file
        return Kept(np.memmap(handle, np.uint8, mode="c", shape=shape), handle)
    except OSError as error:
        handle.close()
        if error.errno != errno.ENOMEM:
            raise
        raise TrainingError(
            f"cache: shared: this machine does not let a process map {_bytes(layout):,} bytes of decoded frames "
            "(vm.overcommit_memory, ulimit -v, or less memory and swap than that); set the engine's cache to none"
        ) from error


def _bytes(layout: Layout) -> int:
    return layout[1] * layout[2][0] * layout[2][1] * 3
