"""Callbacks of a training run, which report its progress to the caller.

They influence no result, so they are part neither of the request (``request``) nor of the key (``key``).
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
    """Functions that a training calls, in the caller's process; each is optional."""

    on_epoch: Callable[[EpochReport], None] | None = None  # when the epoch's checkpoint and history are on disk
    on_batch: Report | None = None
    on_decoded: Callable[[int, int], None] | None = None  # (clips decoded, clips), while the engine's cache is filled


SILENT = TrainingCallbacks()
