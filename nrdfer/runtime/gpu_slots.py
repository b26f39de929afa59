"""Choice of a GPU for each of several training runs: the least used one, agreed on through locked files.

How many run at once is decided elsewhere (Dagster's pool ``gpu``); here only where. A slot on a device is a file that
its user keeps locked, so the kernel frees it however the process ends. The meaning of a device setting belongs to
``devices``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from nrdfer.core import file_locks
from nrdfer.core.errors import ProfileError
from nrdfer.core.file_locks import lock
from nrdfer.core.state_files import quarantine

_CHOOSING = "choosing.lock"


@contextlib.contextmanager
def claim(devices: Sequence[str], count: int, folder: Path) -> Iterator[list[int]]:
    """Claim a slot on each of `count` devices, and release them at the end.

    Never waits for a place: a device takes as many users as there are, and the emptiest are taken first, in their
    order. Among processes that share `folder` the choice is free of races.

    Args:
        devices: an id of each device, the same in every process; see `visible_gpus`.
        count: how many, from 1 on.
        folder: of the locked files, see `paths.device_slots`; made if missing.

    Yields:
        Indices into `devices`, ascending.

    Raises:
        ProfileError: fewer devices than requested, or one is named twice.
    """
    if not 1 <= count <= len(devices) or len(set(devices)) != len(devices):
        raise ProfileError(f"{count} devices are requested, of {len(devices)}: {', '.join(devices) or 'none'}")
    with contextlib.ExitStack() as held:
        with file_locks.held(folder / _CHOOSING):  # held for the choice only
            looks = [_look(folder, device) for device in devices]
            chosen = sorted(sorted(range(len(devices)), key=lambda index: (looks[index][0], index))[:count])
            for index in chosen:
                handle = held.enter_context(_slot(folder, devices[index], looks[index][1]).open("a"))
                if not _lock(handle):  # only a process without the choosing lock
                    raise ProfileError(f"{handle.name} was taken from outside; remove what locks it")
        yield chosen  # closing the files frees the places


def visible_gpus() -> list[str]:
    """An id of each GPU that this process sees, in CUDA's order, independent of which others are hidden.

    CUDA_VISIBLE_DEVICES renumbers GPUs in every process, so a number is valid in one process only; a UUID in all.
    """
    import torch

    gpus = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return [str(gpu.uuid) for gpu in gpus]


def _look(folder: Path, device: str) -> tuple[int, int]:
    """Number of a device's users, and its first free slot."""
    users, free, slot = 0, -1, 0
    while (path := _slot(folder, device, slot)).exists():
        if not path.is_file() and quarantine(path) is not None:  # a folder or a pipe in its place
            continue
        with path.open("a") as handle:
            if not _lock(handle):
                users += 1
            elif free < 0:
                free = slot
        slot += 1
    return users, slot if free < 0 else free


def _slot(folder: Path, device: str, slot: int) -> Path:
    return folder / f"{re.sub(r'[^A-Za-z0-9.-]', '_', device)}.{slot}.lock"


def _lock(handle: IO[str]) -> bool:
    return lock(handle, Path(handle.name), wait=False)
