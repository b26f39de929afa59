"""The part of the store that holds decoded frames: large files of this machine that any step can make again.

They are artefacts of a store of their own, ``.decoded`` in the project's store: made once under a lock, whole or
absent, verified when they are opened, but never copied to a bucket. A process that reads one keeps it locked, so that
`remove` leaves it. What is in them belongs to `nrdfer.shards.decoded_frames`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nrdfer.core import paths
from nrdfer.core.file_locks import held, lock
from nrdfer.store.abandoned import temporary_name
from nrdfer.store.artifacts import DAMAGED, Store
from nrdfer.store.manifest import read_manifest
from nrdfer.store.verify import artefacts

FOLDER = ".decoded"
FRAMES = "frames.u8"  # (N, H, W, 3) bytes, one after the other


@dataclass(frozen=True)
class Decoded:
    """One file of decoded frames."""

    asset: str
    digest: str
    path: Path  # of its folder
    bytes: int  # 0 if its manifest cannot be read
    clips: int
    in_use: bool  # a process reads it


def decoded_store() -> Store:
    """The store of decoded frames in this project's store; without copies elsewhere."""
    return Store(paths.store_root() / FOLDER)


@contextlib.contextmanager
def _alone(store: Store, digest: str) -> Iterator[None]:
    """Keep others from making or moving one meanwhile."""
    with held(store.root / ".locks" / f"{digest}.lock"):
        yield


def open_in_use(folder: Path) -> IO[bytes]:
    """The file of frames in `folder`, locked as in use until it is closed.

    Raises:
        FileNotFoundError: it is not there, or was removed while it was opened.
        OSError: it may not be read.
    """
    path = folder / FRAMES
    handle = path.open("rb")
    try:
        lock(handle, path, shared=True)
        if not os.path.samestat(os.fstat(handle.fileno()), path.stat()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    except BaseException:
        handle.close()
        raise
    return handle


def list_decoded(store: Store) -> list[Decoded]:
    """All files of decoded frames, whole or not."""
    found = []
    for asset, path in artefacts(store.root):
        try:
            manifest = read_manifest(path)
            size, clips = int(manifest["bytes"]), int(manifest["counts"]["clips"])
        except (ValueError, KeyError, TypeError):
            size, clips = 0, 0
        found.append(Decoded(asset, path.name, path, size, clips, _is_in_use(path)))
    return found


def remove(store: Store, decoded: Decoded) -> bool:
    """Remove one unless a process reads it; returns whether it is gone.

    It is renamed first, so that what is half removed is not taken for a whole one; what a kill leaves of it is removed
    by the next that is made.
    """
    with _alone(store, decoded.digest), _unless_in_use(decoded.path) as free:
        if not free:
            return False
        if not decoded.path.exists():
            return True
        gone = decoded.path.with_name(temporary_name(decoded.digest))
        decoded.path.rename(gone)
        shutil.rmtree(gone)
        return True


def remove_damaged(store: Store) -> None:
    """Remove what was moved away because it was damaged: it can be made again, and is as large."""
    shutil.rmtree(store.root / DAMAGED, ignore_errors=True)


@contextlib.contextmanager
def _unless_in_use(folder: Path) -> Iterator[bool]:
    """Whether no process reads the frames in a folder; none begins to as long as the block lasts."""
    path = folder / FRAMES
    with contextlib.ExitStack() as ends:
        try:
            handle = ends.enter_context(path.open("r+b"))  # NFS locks exclusively only what is open for writing
            free = lock(handle, path, wait=False)
        except FileNotFoundError:
            free = True
        except OSError:  # it is not known: what may be read is left
            free = False
        yield free


def _is_in_use(folder: Path) -> bool:
    with _unless_in_use(folder) as free:
        return not free
