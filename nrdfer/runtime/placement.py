"""The devices that one training takes: this process alone, or several GPUs, the least used ones first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nrdfer.core import paths
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.engine import Engine
from nrdfer.runtime.gpu_slots import claim, visible_gpus


@dataclass(frozen=True)
class Place:
    """Placement of a training run: this process alone, or several."""

    world: int
    visible: tuple[str, ...] | None  # a GPU for each process; None on a CPU


@contextmanager
def places(engine: Engine) -> Iterator[Place]:
    """Claim the devices that an engine requests, of several GPUs the least used ones; released at the end.

    Raises:
        ProfileError: a GPU is requested and there is none, or more than there are.
    """
    if pick_device(engine.device).type == "cpu":
        yield Place(engine.devices or 1, None)
        return
    import torch

    gpus = visible_gpus()
    with claim(gpus, engine.devices or len(gpus), paths.device_slots()) as indices:
        torch.cuda.set_device(indices[0])
        yield Place(len(indices), tuple(f"GPU-{gpus[index]}" for index in indices))
