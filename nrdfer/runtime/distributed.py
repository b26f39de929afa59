"""Distributed training: the processes (ranks) that share each batch; a single process has no overhead.

Who starts them belongs to ``launch``. Batches and their clips are the same whatever the number of ranks; a rank takes
every world-th clip of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn

from nrdfer.core import environment

#: A rank that waits this long for another gives up; evaluation and checkpoints of rank 0 are far shorter.
TIMEOUT = timedelta(minutes=30)
#: Names the file over which the ranks of one machine find each other.
STORE = "NRDFER_RANKS_STORE"
MOST_RANKS = 1 << 16  # ranks; no cluster has more GPUs


@dataclass(frozen=True)
class Ranks:
    """This process's rank among those that train together."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this rank writes the files."""
        return self.rank == 0

    def share(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """This rank's clips of a batch; empty if the batch has fewer clips than there are ranks before this one."""
        return positions[self.rank :: self.world]

    def shares(self, batches: Sequence[npt.NDArray[np.int64]]) -> list[npt.NDArray[np.int64]]:
        """This rank's clips of each batch, never none: where it has none it computes the first one, uncounted."""
        return [mine if len(mine := self.share(batch)) else batch[:1] for batch in batches]

    def part(self, batches: Sequence[npt.NDArray[np.int64]]) -> Sequence[npt.NDArray[np.int64]]:
        """This rank's of consecutive parts of about equal length."""
        first, end = (len(batches) * rank // self.world for rank in (self.rank, self.rank + 1))
        return batches[first:end]

    def total(self, values: Tensor) -> Tensor:
        """The sum over all ranks, on all ranks."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.world == 1:
            return flag
        flags = torch.tensor([float(flag)])
        dist.all_reduce(flags, op=dist.ReduceOp.MAX, group=_control())
        return bool(flags.item())

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, on every rank, in the order of ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value, group=_control())
        return values

    def same_buffers(self, model: nn.Module) -> None:
        """Give all ranks the first one's buffers (batch norm's running statistics)."""
        if self.world > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)


_groups: dict[str, Any] = {}


def _control() -> Any:
    # flags and tables travel between CPUs, beside a GPU's own traffic
    if "control" not in _groups:
        _groups["control"] = dist.new_group(backend="gloo", timeout=TIMEOUT)
    return _groups["control"]


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the ranks that the environment names (``RANK``, ``WORLD_SIZE``); without them, a world of one.

    The ranks of one machine meet over a file and talk over the loopback interface only; under ``torchrun``, which may
    span machines, they meet where it says.

    Raises:
        NrdferError: a variable is no such number.
    """
    if dist.is_initialized():  # before the training began (nrdfer.training.torchrun)
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    world = environment.whole("WORLD_SIZE", 1, least=1, most=MOST_RANKS)
    if world == 1:
        yield Ranks()
        return
    rank = environment.whole("RANK", None, least=0, most=world - 1)
    store = os.environ.get(STORE)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{store}" if store else "env://",
        rank=rank,
        world_size=world,
        timeout=TIMEOUT,
    )
    try:
        _control()
        yield Ranks(rank, world)
    finally:
        _groups.clear()
        dist.destroy_process_group()


def in_order(parts: Sequence[Sequence[Any]]) -> list[Any]:
    """Undo the round-robin distribution: items 0, 2, 4 and 1, 3 -> 0, 1, 2, 3, 4."""
    longest = max((len(part) for part in parts), default=0)
    return [part[i] for i in range(longest) for part in parts if i < len(part)]
