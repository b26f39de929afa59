"""Checkpoints: everything a training needs to continue, published whole, loaded without pickled code.

A receipt vouches for each (`nrdfer.store.receipts`): one that a power cut or the disk has changed is moved away, and
the training continues from the one before it. What the state holds belongs to ``epochs``, whose training it is to
``key``; the weights that others use (safetensors) are written by ``nrdfer.models.saved_model``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import torch

from nrdfer.core.errors import TrainingError
from nrdfer.core.state_files import quarantine
from nrdfer.store.receipts import receipt_of, revoke, vouch, vouched
from nrdfer.training.key import CheckpointIdentity, differences, listed

KEEP = 2
_NAME = re.compile(r"checkpoint-(\d{9})\.pt")
_OWN = re.compile(r"checkpoint-\d{9}\.(?:pt|tmp|done)")
_log = logging.getLogger(__name__)


def save_checkpoint(folder: Path, batches_done: int, identity: CheckpointIdentity, state: dict[str, Any]) -> Path:
    """Publish the state after `batches_done` batches, and remove all but the newest `KEEP`.

    The file is complete on disk before it gets its name, its name is there before its receipt, and that before an older
    file goes.
    """
    path = folder / f"checkpoint-{batches_done:09d}.pt"
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as handle:
        hashed = _Hashed(handle)
        torch.save({**state, "identity": json.dumps(identity)}, cast("IO[bytes]", hashed))
        handle.flush()
        os.fsync(handle.fileno())
    revoke(folder, path.stem)
    temporary.replace(path)
    vouch(folder, path.stem, [path.name], {path.name: hashed.digest.hexdigest()})
    for old in list_checkpoints(folder)[:-KEEP]:
        revoke(folder, old.stem)
        old.unlink()
    return path


class _Hashed:
    """A file written sequentially, with the sha256 of what was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write more bytes."""
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Flush the buffer to the operating system."""
        self._file.flush()


def list_checkpoints(folder: Path) -> list[Path]:
    """Published checkpoints, oldest first; one without a receipt was never finished."""
    found = (path for path in folder.glob("checkpoint-*.pt") if _NAME.fullmatch(path.name))
    return sorted(path for path in found if receipt_of(folder, path.stem).is_file())


def remove_checkpoints(folder: Path) -> None:
    """Remove every checkpoint, half-written ones included, with its receipt, and nothing else."""
    for path in sorted(folder.glob("checkpoint-*")):
        if _OWN.fullmatch(path.name) and path.is_file():
            path.unlink()


def load_newest(folder: Path, identity: CheckpointIdentity) -> dict[str, Any] | None:
    """The newest undamaged checkpoint; None if there is none.

    Damaged ones are moved away, with a warning in the log.

    Args:
        folder: of the checkpoints.
        identity: of the training that wants to continue; must be the one that was saved.

    Raises:
        TrainingError: it belongs to a training with another network, recipe, clips or initial weights; the message
            names what differs.
    """
    for path in reversed(list_checkpoints(folder)):
        loaded = _load(path)
        if loaded is None:
            continue
        state, saved = loaded
        unlike = differences(saved, identity)
        if unlike:
            raise TrainingError(
                f"checkpoint {path} belongs to another training: {listed(unlike)}. Give this training a folder of its "
                f"own, or empty {folder}"
            )
        return state
    return None


def _load(path: Path) -> tuple[dict[str, Any], CheckpointIdentity] | None:
    reason = "it does not match its receipt: truncated, or changed on the disk"
    if vouched(path.parent, path.stem) is not None:
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            saved: CheckpointIdentity = json.loads(state["identity"])
            return state, saved
        except Exception as error:  # torch raises many kinds; the training can continue without this file
            reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
    moved_to = quarantine(path)
    revoke(path.parent, path.stem)
    _log.warning(
        "checkpoint %s cannot be read (%s)%s; the training continues from the one before it, or begins again",
        path,
        reason,
        "" if moved_to is None else f" and is now in {moved_to}",
    )
    return None
