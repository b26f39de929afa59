"""A training's folder outside the store: its settings, whether it is finished, and which process holds it.

The folder receives what `train_fold` writes; ``work`` in it holds the checkpoints until the training is finished.
Trainings of the graph are in the store, which knows these things by digest.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nrdfer.core.errors import NotOursError, TrainingError
from nrdfer.core.file_locks import lock
from nrdfer.core.own_files import publish, refuse_foreign, remove_made, write_made
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.core.state_files import read_state
from nrdfer.models.trained_files import BEST, HISTORY, LAST, MODEL, NETWORK, VALIDATED, VALIDATION
from nrdfer.preprocessing.spec import FILE as PREPROCESSING
from nrdfer.tracking.training_log import LOG
from nrdfer.training.key import differences, listed

SETTINGS = "training.json"  # what the training is, written before it begins
RESULT = "result.json"  # its figures, written when everything else is there
WORK = "work"
_RESULTS = "results"  # in it
_FAILED = "failed"  # in it, empty: the training ended with an error
RESULTS = (LAST, BEST, VALIDATED, VALIDATION, HISTORY, MODEL, NETWORK, LOG, PREPROCESSING)
_log = logging.getLogger(__name__)
_OF_RANK = re.compile(r"rank-\d+-error\.json")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Create the folder and hold it for this training; the kernel releases it if the process dies.

    Raises:
        TrainingError: another process is training into it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as handle:
        if not lock(handle, folder / ".lock", wait=False):
            raise TrainingError(f"another process is training into {folder}; wait for it, or give another folder")
        yield  # closing the file releases the lock


def claim(folder: Path, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Assign the folder to the training with these settings, new or continued.

    A training of other settings that failed forbids nothing: what it had kept, if anything, is moved to ``failed-1``.

    Returns:
        Its figures if it is finished, else None.

    Raises:
        TrainingError: the folder holds a training of other settings, files of something else, or a finished training
            without its network.
        NotOursError: files of the user's have the names of results or settings, or results were changed.
    """
    stored = json.loads(json.dumps(settings))  # as they come back from the file: tuples are lists
    path = folder / SETTINGS
    there = read_settings(folder)
    if there is None:
        others = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        if others:
            raise TrainingError(
                f"{name_text(folder)} holds something else ({', '.join(map(one_line, others[:3]))}); give --out an "
                "empty folder"
            )
    elif there != stored:
        refuse_foreign(path)
        if not _kept(folder):
            withdraw(folder)
        elif _has_failed(folder):
            _log.warning("what the failed training had kept is now in %s", name_text(_move_failed(folder)))
        else:
            raise TrainingError(
                f"{name_text(folder)} holds a training of other settings ({listed(differences(there, stored))}); give "
                "--out another folder, or remove this one"
            )
    elif (folder / RESULT).is_file():
        _refuse_changed(folder)
        return read_state(folder / RESULT, dict[str, Any])  # a damaged one is moved away, and the end recorded again
    for name in (RESULT, *RESULTS):
        refuse_foreign(folder / name)
    (folder / WORK / _FAILED).unlink(missing_ok=True)  # it begins again
    if there != stored:
        write_made(path, json.dumps(stored, indent=1).encode())
    return None


def withdraw(folder: Path) -> None:
    """After a failure: undo what `claim` wrote; if the training has saved a step since, note that it failed."""
    if _kept(folder):
        with contextlib.suppress(OSError):  # the disk is full: then the same line continues, and no other
            (folder / WORK / _FAILED).touch()
        return
    try:
        refuse_foreign(folder / SETTINGS)
    except NotOursError:  # a user changed it: read as it is at the next start
        return
    work = folder / WORK
    for left in (work / LOG, *(path for path in work.glob("rank-*-error.json") if _OF_RANK.fullmatch(path.name))):
        left.unlink(missing_ok=True)
    _remove_checkpoints(work)  # one that was being written when the disk was full
    for place in (work / _RESULTS, work):
        with contextlib.suppress(OSError):  # not there, or it holds a user's file
            place.rmdir()
    remove_made(folder / SETTINGS)


def _has_failed(folder: Path) -> bool:
    """Whether a training ended with an error, and not on request or killed, and has no results."""
    return (folder / WORK / _FAILED).is_file() and not any((folder / name).exists() for name in (RESULT, *RESULTS))


def _move_failed(folder: Path) -> Path:
    """Move what a failed training had kept to a folder beside it; nothing is removed."""
    number = 1
    while (folder / f"failed-{number}").exists():
        number += 1
    return (folder / WORK).rename(folder / f"failed-{number}")


def _kept(folder: Path) -> bool:
    """Whether a training has progress that would be lost."""
    from nrdfer.training.checkpoint import list_checkpoints  # with it comes torch

    return bool(list_checkpoints(folder / WORK)) or any((folder / name).exists() for name in (RESULT, *RESULTS))


def _refuse_changed(folder: Path) -> None:
    """Refuse to treat a training as finished if its results are not those that it wrote.

    Raises:
        TrainingError: the network is gone.
        NotOursError: a result was changed.
    """
    for name in (LAST, MODEL):
        if not (folder / name).exists():
            raise TrainingError(
                f"{name_text(folder / name)} is missing, though the training is finished; restore it, or give --out "
                "another folder"
            )
    for name in RESULTS:
        refuse_foreign(folder / name)


def finish(folder: Path, result: Mapping[str, Any]) -> None:
    """Publish the content of `results`, note the figures of a finished training, remove what it needed to continue."""
    for path in sorted(results(folder).iterdir()):
        publish(path, folder / path.name)
    write_made(folder / RESULT, json.dumps(result, indent=1).encode())
    results(folder).rmdir()
    _remove_checkpoints(folder / WORK)


def _remove_checkpoints(work: Path) -> None:
    from nrdfer.training.checkpoint import remove_checkpoints

    remove_checkpoints(work)


def results(folder: Path) -> Path:
    """Folder of a training's results before they are published; the training creates it."""
    return folder / WORK / _RESULTS


def read_settings(folder: Path) -> dict[str, Any] | None:
    """Settings of the training in a folder; None if the folder holds no training of ``nrdfer train``.

    Raises:
        TrainingError: the file with that information is damaged.
    """
    path = folder / SETTINGS
    return _read(path) if path.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}")
    except (OSError, ValueError, RecursionError) as error:
        raise TrainingError(
            f"{name_text(path)} does not describe a training ({error}): it was changed or damaged. Give --out another "
            "folder, or restore the file"
        ) from error
    return content
