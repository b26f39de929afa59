"""Checkpoints: everything a training needs to continue, published whole, loaded without pickled code.

What the state holds belongs to ``epochs``, whose training it is to ``identity``; the weights that others use
(safetensors) are written by ``results``.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch

from nrdfer.errors import TrainingError
from nrdfer.files import sync
from nrdfer.training.identity import Identity, differences, shown

KEEP = 2
_NAME = re.compile(r"checkpoint-(\d{9})\.pt")


def save_checkpoint(folder: Path, batches_done: int, identity: Identity, state: dict[str, Any]) -> Path:
    """Publish the state after `batches_done` batches, and remove all but the newest `KEEP`.

    The file is complete on disk before it gets its name, and the name is on disk before an older file goes.
    """
    path = folder / f"checkpoint-{batches_done:09d}.pt"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as handle:
        torch.save({**state, "identity": json.dumps(identity)}, handle)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    sync(folder)
    for old in list_checkpoints(folder)[:-KEEP]:
        old.unlink()
    return path


def list_checkpoints(folder: Path) -> list[Path]:
    """Published checkpoints, oldest first."""
    return sorted(path for path in folder.glob("checkpoint-*.pt") if _NAME.fullmatch(path.name))


def load_newest(folder: Path, identity: Identity) -> dict[str, Any] | None:
    """The newest checkpoint; None if there is none.

    Args:
        folder: of the checkpoints.
        identity: of the training that wants to continue; must be the one that was saved.

    Raises:
        TrainingError: it cannot be read, or belongs to a training with another network, recipe, clips or initial
            weights; the message names what differs.
    """
    found = list_checkpoints(folder)
    if not found:
        return None
    newest = found[-1]
    try:
        state: dict[str, Any] = torch.load(newest, map_location="cpu", weights_only=True)
        saved = json.loads(state["identity"])
    except Exception as error:
        before = f"to continue from {found[-2].name}" if len(found) > 1 else "to start again"
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise TrainingError(
            f"checkpoint {newest} cannot be read ({reason}): it was cut off or damaged on the disk, or is no "
            f"checkpoint; remove it {before}"
        ) from error
    unlike = differences(saved, identity)
    if unlike:
        raise TrainingError(
            f"checkpoint {newest} belongs to another training: {shown(unlike)}. Give this training a folder of its "
            f"own, or empty {folder}"
        )
    return state
