"""System metrics of a training: processor, memory, disk and GPUs, sampled by a thread into the log.

Keep here: taking samples. Keep out: showing them (``nrdfer.tracking.background_upload``).
Figures that MLflow's page of system metrics knows have its names; ``process_...`` are of the training's own process and
those below it.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from nrdfer.tracking.training_log import TrainingLog, last_of_each, read_all

_log = logging.getLogger(__name__)
_MEGA = 1e6


class SystemSampler:
    """Writes a ``system`` line into a training's log every few seconds, inside its ``with`` block.

    Args:
        path: of the training's log; samples are numbered on from those it has.
        every: seconds between samples.
        gpus: CUDA devices (torch's numbers) to sample.
    """

    def __init__(self, path: Path, every: float = 10.0, gpus: Sequence[int] = ()) -> None:
        self._path, self._every = path, every
        self._machine, self._gpus = _Machine(path.parent), _Gpus(gpus)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="system metrics", daemon=True)

    def __enter__(self) -> SystemSampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with TrainingLog(self._path) as log:
                number = max(last_of_each(read_all(self._path), "system"), default=0)
                while not self._end.wait(self._every):
                    number += 1
                    log.write("system", step=number, **self._machine.sample(), **self._gpus.sample())
        except Exception:
            # a training must not end because it cannot be watched
            _log.exception("no more system figures in %s: sampling failed", self._path)


class _Machine:
    """Processor, memory and disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # kept from sample to sample, because a share of processor time is one between two samples of a process
        self._processes = {process.pid: process for process in _tree()}
        for process in self._processes.values():
            _cpu(process)
        psutil.cpu_percent()

    def sample(self) -> dict[str, float]:
        """The figures since the last sample."""
        self._processes = {new.pid: self._processes.get(new.pid, new) for new in _tree()}
        memory, disk = psutil.virtual_memory(), shutil.disk_usage(self._folder)
        return {
            "cpu_utilization_percentage": psutil.cpu_percent(),
            "process_cpu_percentage": round(sum(map(_cpu, self._processes.values())), 1),
            "process_memory_megabytes": round(sum(map(_resident, self._processes.values())) / _MEGA, 1),
            "system_memory_usage_megabytes": round(memory.used / _MEGA, 1),
            "system_memory_usage_percentage": round(100 * memory.used / memory.total, 1),
            "disk_usage_percentage": round(100 * disk.used / disk.total, 1),
            "disk_available_megabytes": round(disk.free / _MEGA, 1),
        }


def _tree() -> list[psutil.Process]:
    this = psutil.Process()
    return [this, *this.children(recursive=True)]


def _cpu(process: psutil.Process) -> float:
    try:
        return process.cpu_percent()
    except psutil.Error:  # it ended meanwhile
        return 0.0


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


class _Gpus:
    """GPUs through NVML; without its Python package (extra ``gpu``), only the memory that torch allocated on them."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = tuple(numbers)
        self._nvml: Any = None
        self._handles: dict[int, Any] = {}
        if not self._numbers:
            return
        import torch

        try:
            import pynvml  # type: ignore[import-not-found,import-untyped,unused-ignore]
        except ImportError:
            _log.info("no load and power of GPUs in the log: nvidia-ml-py is missing; pip install 'nrdfer[gpu]'")
            return
        try:
            pynvml.nvmlInit()
            for number in self._numbers:
                # by uuid, because NVML counts GPUs that CUDA_VISIBLE_DEVICES hides
                uuid = f"GPU-{torch.cuda.get_device_properties(number).uuid}"
                self._handles[number] = pynvml.nvmlDeviceGetHandleByUUID(uuid)
            self._nvml = pynvml
        except pynvml.NVMLError as error:
            _log.warning("no GPU load and power in the log: NVML reports %s", error)

    def sample(self) -> dict[str, float]:
        """The figures of every GPU; those that a GPU does not report are left out."""
        if self._nvml is None:
            return self._torch_memory()
        found: dict[str, float] = {}
        for number, handle in self._handles.items():
            for question in (self._memory, self._load, self._power):
                try:
                    found |= {f"gpu_{number}_{name}": round(value, 1) for name, value in question(handle).items()}
                except self._nvml.NVMLError:  # not every card reports its power, nor a share of one its load
                    continue
        return found

    def _memory(self, handle: Any) -> dict[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "memory_usage_megabytes": memory.used / _MEGA,
            "memory_usage_percentage": 100 * memory.used / memory.total,
        }

    def _load(self, handle: Any) -> dict[str, float]:
        return {"utilization_percentage": float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)}

    def _power(self, handle: Any) -> dict[str, float]:
        watts = self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000
        limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000
        return {"power_usage_watts": watts, "power_usage_percentage": 100 * watts / limit}

    def _torch_memory(self) -> dict[str, float]:
        import torch

        # 0 for a GPU that other processes use: these figures are of this process
        return {
            f"gpu_{number}_torch_reserved_megabytes": round(torch.cuda.memory_reserved(number) / _MEGA, 1)
            for number in self._numbers
        }
