"""A training's folder outside the store: of which settings it is, whether it is finished, and who is at it.

The folder receives what `train_fold` writes; ``work`` in it holds the checkpoints until the training is finished.
Trainings of the graph lie in the store, which knows these things by digest.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nrdfer.errors import TrainingError
from nrdfer.file_locks import lock
from nrdfer.files import write_whole
from nrdfer.set_aside import read_state
from nrdfer.training.identity import differences, shown

SETTINGS = "training.json"  # what the training is, written before it begins
RESULT = "result.json"  # its figures, written when everything else is there
WORK = "work"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it for this training; the kernel lets go of it if the process dies.

    Raises:
        TrainingError: another process is training into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as handle:
        if not lock(handle, folder / ".lock", wait=False):
            raise TrainingError(f"another process is training into {folder}; wait for it, or give another folder")
        yield  # closing the file releases the lock


def claim(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the folder to the training of these settings, new or continued.

    Returns:
        Its figures if it is finished, else None.

    Raises:
        TrainingError: the folder holds a training of other settings, or files of something else.
    """
    result = folder / RESULT
    told = json.loads(json.dumps(settings))  # as they come back from the file: tuples are lists
    path = folder / SETTINGS
    there = read_settings(folder)
    if there is not None:
        if there != told:
            raise TrainingError(
                f"{folder} holds a training of other settings ({shown(differences(there, told))}); give --out "
                "another folder, or remove this one"
            )
        return read_state(result, dict[str, Any])  # if it is damaged, the training's end is told and noted anew
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others:
        raise TrainingError(f"{folder} holds something else ({', '.join(others[:3])}); give --out an empty folder")
    write_whole(path, json.dumps(told, indent=1).encode())
    return None


def finish(folder: Path, result: Mapping[str, Any]) -> None:
    """Note the figures of a finished training, and remove what it needed to continue."""
    write_whole(folder / RESULT, json.dumps(result, indent=1).encode())
    for path in (folder / WORK).glob("checkpoint-*"):
        path.unlink()


def read_settings(folder: Path) -> dict[str, Any] | None:
    """What the training in a folder is; None if no training of ``nrdfer train`` lies there.

    Raises:
        TrainingError: the file that says so is damaged.
    """
    path = folder / SETTINGS
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_bytes())
        if not isinstance(told, dict):
            raise ValueError("it holds no settings")
    except (OSError, ValueError, RecursionError) as error:
        # not set aside: what else lies there may be the result of other settings
        raise TrainingError(
            f"{path}, which says of which training this folder is, is damaged ({str(error)[:200]}); give --out another "
            "folder, or move this one away"
        ) from error
    return told
