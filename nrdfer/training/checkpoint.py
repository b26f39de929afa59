"""Checkpoints: everything a training needs to continue, published whole, loaded without pickled code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from nrdfer.errors import TrainingError

_NAME = "checkpoint-{epoch:04d}.pt"
KEEP = 2


def save_checkpoint(folder: Path, epoch: int, state: dict[str, Any]) -> None:
    """Publish the state after `epoch` (fsync, then rename) and remove all but the newest `KEEP`."""
    path = folder / _NAME.format(epoch=epoch)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as handle:
        torch.save(state, handle)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
    for old in sorted(folder.glob("checkpoint-*.pt"))[:-KEEP]:
        old.unlink()


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest checkpoint; None if there is none.

    Raises:
        TrainingError: it cannot be read.
    """
    found = sorted(folder.glob("checkpoint-*.pt"))
    if not found:
        return None
    try:
        state: dict[str, Any] = torch.load(found[-1], map_location="cpu", weights_only=True)
    except Exception as error:
        raise TrainingError(
            f"checkpoint {found[-1]} cannot be read ({error}); remove it to continue from the one before"
        ) from error
    return state
