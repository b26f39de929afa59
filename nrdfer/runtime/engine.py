"""The engine: how a training is computed, not what it learns. Every setting is frozen, and checked when it is made.

What is trained, and how, belongs to ``recipe``. `Engine.numerics` names the settings that change rounding; the others
(workers, cache, how often to save) never change a result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("fp32", "tf32", "bf16")
CACHES = ("auto", "none", "ram", "gpu", "shared")

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
    "graphs": 0.0,
}
#: How far options may move what is predicted in tests, on a CPU: the largest difference of two logits of one clip.
TEST_DEVIATIONS: Mapping[str, float] = {"test_batch": 1e-4, "test_precision bf16": 1e-1}
#: Settings of numerics that came later: part of a training's identity where they are not the default.
_LATER = ("graphs", "auto", "test_batch", "test_precision")
#: What `auto` picks.
AUTO_PICKS = ("precision", "compile", "fused", "graphs", "deterministic")


@dataclass(frozen=True)
class Engine:
    """Compute settings of a training run; the defaults are the reference: exact, and the same on every run.

    Raises:
        ValueError: a value that is not valid.
    """

    device: Annotated[str, "auto (a GPU if there is one), cpu or cuda"] = "auto"
    devices: Annotated[int, "GPUs, or processes on a CPU, that share each batch; 0: all GPUs there are"] = 1
    nodes: Annotated[int, "machines that share each batch: those of a job of Slurm or Ray, or of torchrun"] = 1
    sync_bn: Annotated[bool, "batch norm over all devices' clips, not each over its own"] = False
    precision: Annotated[str, "fp32; tf32: faster on a GPU; bf16: autocast, weights stay float32"] = "fp32"
    channels_last: Annotated[bool, "memory layout of the convolutions"] = True
    compile: Annotated[bool, "torch.compile; the first batch takes a minute, and dropout is drawn differently"] = False
    fused: Annotated[bool, "the optimizer as one kernel"] = False
    graphs: Annotated[bool, "forward and backward pass as one CUDA graph; on one GPU"] = False
    auto: Annotated[
        bool, "measure at the first start, and pick precision, compile, fused, graphs and deterministic"
    ] = False
    deterministic: Annotated[bool, "the same bytes on every run; false lets cuDNN choose faster kernels"] = True
    threads: Annotated[int, "CPU threads, on which sums depend; 0 leaves torch's choice"] = 0
    test_batch: Annotated[int, "clips at a time in the tests after each epoch"] = 16
    test_precision: Annotated[str, "of the tests after each epoch: fp32, tf32 or bf16"] = "fp32"
    workers: Annotated[int, "threads that read, decode and augment ahead; 0: in the training's own"] = 2
    cache: Annotated[
        str, "decoded frames: gpu, ram, none; shared: a file of all processes; auto: on a GPU the first that fits"
    ] = "auto"
    checkpoint_every_batches: Annotated[int, "besides every epoch; 0: not by number"] = 0
    checkpoint_every_minutes: Annotated[float, "besides every epoch; 0: not by time"] = 5.0

    def __post_init__(self) -> None:
        choices = {"device": DEVICES, "precision": PRECISIONS, "test_precision": PRECISIONS, "cache": CACHES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        for name in ("devices", "threads", "workers", "checkpoint_every_batches", "checkpoint_every_minutes"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        for name in ("nodes", "test_batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.device == "cpu":
            self._check_cpu()
        alone = self.devices == 1 and self.nodes == 1
        if self.auto and not alone:
            raise ValueError("auto: true measures one device; leave devices and nodes at 1, or name the settings")
        if self.graphs and not alone:
            raise ValueError("graphs: true is for a training on one GPU; leave devices and nodes at 1, or graphs off")

    def _check_cpu(self) -> None:
        if self.devices == 0:
            raise ValueError("devices: 0 means all GPUs there are; on a CPU set how many processes share a batch")
        if self.cache == "gpu":
            raise ValueError("cache: gpu needs a GPU, but device is cpu; use ram or none")
        for name in ("precision", "test_precision"):
            if getattr(self, name) == "tf32":
                raise ValueError(f"{name}: tf32 needs a GPU; on a CPU use fp32 or bf16")
        if self.graphs:
            raise ValueError("graphs: true needs a GPU, but device is cpu; leave it off")

    def numerics(self) -> dict[str, Any]:
        """The settings on which rounding depends, and so the bytes of trained weights.

        Devices count only without `sync_bn`: each then normalises its own share of a batch.
        """
        names = ("device", "precision", "channels_last", "compile", "fused", "deterministic", "threads", "sync_bn")
        values = {name: getattr(self, name) for name in names}
        values |= {name: getattr(self, name) for name in _LATER if getattr(self, name) != getattr(Engine, name)}
        return values if self.sync_bn else {**values, "devices": self.devices}
