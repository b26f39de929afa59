"""Callbacks of a training run: how its caller follows it.

They influence nothing, so they are not part of the request (``request``) nor of the key (``key``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nrdfer.training.progress import Report

if TYPE_CHECKING:  # with it comes torch
    from nrdfer.models.saved_model import EpochReport


@dataclass(frozen=True)
class TrainingCallbacks:
    """Functions that a training calls, in the caller's process; each may be left out."""

    on_epoch: Callable[[EpochReport], None] | None = None  # when the epoch's checkpoint and history are on disk
    on_batch: Report | None = None
    on_decoded: Callable[[int, int], None] | None = None  # (clips decoded, clips), while the engine's cache is filled


SILENT = TrainingCallbacks()
