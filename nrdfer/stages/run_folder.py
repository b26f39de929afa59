"""A training's folder outside the store: of which settings it is, whether it is finished, and who is at it.

The folder receives what `train_fold` writes; ``work`` in it holds the checkpoints until the training is finished.
Trainings of the graph lie in the store, which knows these things by digest.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nrdfer.errors import TrainingError
from nrdfer.files import write_whole

SETTINGS = "training.json"  # what the training is, written before it begins
RESULT = "result.json"  # its figures, written when everything else is there
WORK = "work"


def leads() -> bool:
    """Whether this process speaks for its training: of those that ``torchrun`` starts together, the first."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it for this training; the kernel lets go of it if the process dies.

    Raises:
        TrainingError: another process is training into it.
    """
    if not leads():
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(
                f"another process is training into {folder}; wait for it, or give another folder"
            ) from error
        yield  # closing the file releases the lock


def claim(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give the folder to the training of these settings, new or continued.

    Returns:
        Its figures if it is finished, else None.

    Raises:
        TrainingError: the folder holds a training of other settings, or files of something else.
    """
    result = folder / RESULT
    if not leads():
        return json.loads(result.read_text()) if result.is_file() else None
    told = json.loads(json.dumps(settings))  # as they come back from the file: tuples are lists
    path = folder / SETTINGS
    if path.is_file():
        there = json.loads(path.read_text())
        if there != told:
            raise TrainingError(
                f"{folder} holds a training of other settings ({'; '.join(differences(there, told))}); give --out "
                "another folder, or remove this one"
            )
        return json.loads(result.read_text()) if result.is_file() else None
    others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if others:
        raise TrainingError(f"{folder} holds something else ({', '.join(others[:3])}); give --out an empty folder")
    write_whole(path, json.dumps(told, indent=1).encode())
    return None


def finish(folder: Path, result: Mapping[str, Any]) -> None:
    """Note the figures of a finished training, and remove what it needed to continue."""
    if not leads():
        return
    write_whole(folder / RESULT, json.dumps(result, indent=1).encode())
    for path in (folder / WORK).glob("checkpoint-*"):
        path.unlink()


def read_settings(folder: Path) -> dict[str, Any] | None:
    """What the training in a folder is; None if no training of ``nrdfer train`` lies there."""
    path = folder / SETTINGS
    return json.loads(path.read_text()) if path.is_file() else None


def differences(there: Any, given: Any, name: str = "") -> list[str]:
    """Where two sets of settings differ, in words: ``recipe.lr is 0.001, not 0.01``."""
    if not isinstance(there, dict) or not isinstance(given, dict):
        return [] if there == given else [f"{name} is {_short(there)}, not {_short(given)}"]
    found = []
    for key in sorted({*there, *given}):
        found += differences(there.get(key), given.get(key), f"{name}.{key}".lstrip("."))
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
