"""The engine: how a training is computed, not what it learns. Every setting is frozen, and checked when it is made.

What is learnt, and from what, belongs to ``recipe``. `Engine.numerics` names the settings that change rounding; the
others (workers, cache, how often to save) never change a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "tf32", "bf16")
CACHES = ("auto", "none", "ram", "gpu")

#: How far options may move the losses of a training from the reference's, in its first steps on a CPU and without
#: dropout: relative, batch by batch; for bf16 absolute, the mean of an epoch. Compiled code draws dropout from another
#: generator, so that with dropout it is another training. Held by ``tests/unit/runtime/test_engine.py``.
DEVIATIONS: Mapping[str, float] = {
    "workers": 0.0,
    "cache": 0.0,
    "fused": 5e-6,
    "channels_last": 1e-3,
    "compile": 1e-4,
    "bf16": 3e-2,
}


@dataclass(frozen=True)
class Engine:
    """How a training is computed; the defaults are the reference: exact, and the same on every run.

    Raises:
        ValueError: a value that cannot be meant.
    """

    device: str = "auto"  # "auto" takes a GPU if there is one
    devices: int = 1  # GPUs, or processes on a CPU, that share each batch; 0: all GPUs there are
    sync_bn: bool = False  # batch norm over all devices' clips; without it each sees its own share of the batch
    precision: str = "fp32"  # "tf32": faster products on a GPU; "bf16": autocast, weights stay float32
    channels_last: bool = True  # memory layout of the convolutions
    compile: bool = False  # torch.compile; the first batch takes a minute. Dropout is drawn anew
    fused: bool = False  # the optimiser as one kernel
    deterministic: bool = True  # the same bytes on every run; False lets cuDNN choose faster kernels
    threads: int = 0  # CPU threads; 0 leaves torch's choice. Sums depend on it
    workers: int = 2  # threads that read, decode and augment ahead; 0: in the training's own
    cache: str = "auto"  # decoded frames kept in memory: "gpu", "ram", "none"; auto: on a GPU whatever fits
    checkpoint_every_batches: int = 0  # besides every epoch; 0: not by number
    checkpoint_every_minutes: float = 5.0  # besides every epoch; 0: not by time

    def __post_init__(self) -> None:
        for name, known in (("device", DEVICES), ("precision", PRECISIONS), ("cache", CACHES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name in ("devices", "threads", "workers", "checkpoint_every_batches", "checkpoint_every_minutes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        if self.device == "cpu" and self.devices == 0:
            raise ValueError("devices: 0 means all GPUs there are; on a CPU say how many processes share a batch")
        if self.device == "cpu" and self.cache == "gpu":
            raise ValueError("cache: gpu needs a GPU, but device is cpu; use ram or none")
        if self.precision == "tf32" and self.device == "cpu":
            raise ValueError("precision: tf32 is a GPU's; on a CPU use fp32 or bf16")

    def numerics(self) -> dict[str, Any]:
        """The settings on which rounding depends, and so the bytes of trained weights.

        Devices count only without `sync_bn`: each then normalises its own share of a batch.
        """
        names = ("device", "precision", "channels_last", "compile", "fused", "deterministic", "threads", "sync_bn")
        values = {name: getattr(self, name) for name in names}
        return values if self.sync_bn else {**values, "devices": self.devices}
