"""Samples of the machine: numbered on, of the whole process tree, and ended promptly."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nrdfer.tracking.training_log import TrainingLog, read_all
from nrdfer.training import system_metrics
from nrdfer.training.system_metrics import SystemSampler


def wait_for_samples(path: Path, count: int) -> list[dict[str, float]]:
    for _ in range(600):
        lines = [line for line in read_all(path) if line["kind"] == "system"]
        if len(lines) >= count:
            return lines
        threading.Event().wait(0.05)
    raise AssertionError(f"fewer than {count} samples in 30 s")


def test_samples_are_numbered_on_from_those_of_an_earlier_process(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    with TrainingLog(path) as log:
        log.write("system", step=7)
    with SystemSampler(path, every=0.02):
        lines = wait_for_samples(path, 3)
    assert [line["step"] for line in lines][:3] == [7, 8, 9]
    assert {
        "cpu_utilization_percentage",
        "process_cpu_percentage",
        "process_memory_megabytes",
        "system_memory_usage_megabytes",
        "system_memory_usage_percentage",
        "disk_usage_percentage",
        "disk_available_megabytes",
    } == set(lines[1]) - {"kind", "time", "step"}
    assert all(line["process_memory_megabytes"] > 1 for line in lines[1:])


def test_a_child_that_works_is_counted(tmp_path: Path) -> None:
    machine = system_metrics._Machine(tmp_path)
    own = machine.sample()
    busy = "print(0, flush=True)\nheld = b'x' * 100_000_000\nwhile True: pass"
    child = subprocess.Popen([sys.executable, "-c", busy], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        machine.sample()  # the first look at a process gives no share of time
        threading.Event().wait(1.0)
        both = machine.sample()
    finally:
        child.kill()
        child.wait()
    assert both["process_memory_megabytes"] > own["process_memory_megabytes"] + 90
    assert both["process_cpu_percentage"] > 10
    assert machine.sample()["process_memory_megabytes"] < both["process_memory_megabytes"] - 90


def test_a_sampler_with_a_long_interval_ends_at_once(tmp_path: Path) -> None:
    with SystemSampler(tmp_path / "train.jsonl", every=1e6) as sampler:
        pass
    assert not sampler._thread.is_alive()


def test_sampling_that_fails_is_told_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: object) -> dict[str, float]:
        raise RuntimeError("no /proc")

    monkeypatch.setattr(system_metrics._Machine, "sample", fail)
    with SystemSampler(tmp_path / "train.jsonl", every=0.01) as sampler:
        sampler._thread.join(30)
    assert "no more system figures" in caplog.text and "no /proc" in caplog.text


class _Nvml:
    """Stands for NVML on a card that does not tell its power."""

    class NVMLError(Exception):
        pass

    @staticmethod
    def nvmlDeviceGetMemoryInfo(_: object) -> object:  # noqa: N802
        return type("Memory", (), {"used": 20e9, "total": 80e9})

    @staticmethod
    def nvmlDeviceGetUtilizationRates(_: object) -> object:  # noqa: N802
        return type("Rates", (), {"gpu": 97})

    @classmethod
    def nvmlDeviceGetPowerUsage(cls, _: object) -> int:  # noqa: N802
        raise cls.NVMLError("not supported")


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    gpus = system_metrics._Gpus(())
    assert gpus.sample() == {}
    gpus._nvml, gpus._handles = _Nvml, {1: object()}
    assert gpus.sample() == {
        "gpu_1_memory_usage_megabytes": 20000.0,
        "gpu_1_memory_usage_percentage": 25.0,
        "gpu_1_utilization_percentage": 97.0,
    }
