"""One part of the check in this process: ``python -m devtools.gpu_check.part NAME --device D --seconds S``.

The last line of its output is one JSON object: ``figures``, and ``not_run``, a list of what was not shown and why. It
ends with status 1 if a check failed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import torch

NO_GPU = "PyTorch sees no GPU on this machine"
NotRun = list[dict[str, str]]


def machine(device: torch.device, seconds: float) -> tuple[dict[str, Any], NotRun]:
    """What the machine is."""
    told: dict[str, Any] = {
        "device": "cpu",
        "python": platform.python_version(),
        "processor": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "torch": torch.__version__,
        "opencv": importlib.metadata.version("opencv-python-headless"),
    }
    if device.type != "cuda":
        return told, [{"what": "name, memory and peak of a GPU", "why": NO_GPU}]
    from devtools.training_bench.gpu import matmul_peak

    there = torch.cuda.get_device_properties(device)
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16}
    return told | {
        "device": there.name,
        "gigabytes": round(there.total_memory / 1e9, 1),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "nccl": ".".join(map(str, torch.cuda.nccl.version())),
        "matmul_peak_tflops": {n: round(matmul_peak(device, t, 8192, 10) / 1e12, 1) for n, t in dtypes.items()},
    }, []


def checks(device: torch.device, seconds: float) -> tuple[dict[str, Any], NotRun]:
    """Every property, each by itself: one that does not hold does not stop the others."""
    from devtools.gpu_check.checks import CHECKS

    ends = time.monotonic() + seconds
    found: dict[str, Any] = {}
    not_run = [] if device.type == "cuda" else [{"what": f"{c.name}: {c.unseen}", "why": NO_GPU} for c in CHECKS]
    for check in CHECKS:
        if time.monotonic() > ends:
            not_run.append({"what": check.name, "why": f"its part's {seconds:.0f} s were over"})
            continue
        started = time.monotonic()
        try:
            found[check.name] = {"passed": True, **check.run(device)}
        except Exception as error:  # any failure is the report
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}".strip()[:400]
            found[check.name] = {"passed": False, "why": reason}
        found[check.name]["seconds"] = round(time.monotonic() - started, 2)
    return found, not_run


def _measured(name: str) -> Callable[[torch.device, float], tuple[dict[str, Any], NotRun]]:
    def measure(device: torch.device, seconds: float) -> tuple[dict[str, Any], NotRun]:
        from devtools.gpu_check import measurements

        figures = getattr(measurements, name)(device, seconds)
        left = [] if device.type == "cuda" else [{"what": f"{name} on a GPU, at full size", "why": NO_GPU}]
        return figures, left

    return measure


def train(device: torch.device, seconds: float) -> tuple[dict[str, Any], NotRun]:
    """``bench/train.py``, as anyone runs it; on a CPU with a narrow network."""
    on_gpu = device.type == "cuda"
    size = ["--clips", "64", "--frames", "24", "--rounds", "2", "--steps", "16", "--workers", "8"]
    tiny = {"widths": [8, 8, 16], "spatial_depth": 1, "spatial_mlp": 8, "temporal_depth": 1, "temporal_mlp": 8}
    few = ["--clips", "3", "--frames", "18", "--batch", "2", "--rounds", "1", "--steps", "1"]
    line = [sys.executable, "-m", "bench.train", *(size if on_gpu else [*few, "--settings", json.dumps(tiny)])]
    line += ["--engines", "reference,bf16,bf16-compile-fused" if on_gpu else "reference,bf16"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=seconds, check=False)  # noqa: S603
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise RuntimeError(f"bench.train ended with {done.returncode}: {done.stderr.strip()[-400:]}")
    figures = json.loads(done.stdout)
    left = [] if on_gpu else [{"what": "share of peak, hours for five folds of 70 epochs", "why": NO_GPU}]
    return figures, left


PARTS: dict[str, Callable[[torch.device, float], tuple[dict[str, Any], NotRun]]] = {
    "machine": machine,
    "checks": checks,
    "preprocessing": _measured("preprocessing"),
    "train": train,
    "profile": _measured("profile"),
    "epoch": _measured("epoch"),
}


def main() -> int:
    """Run one part and print its answer."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=PARTS)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args()
    figures, not_run = PARTS[given.name](torch.device(given.device), given.seconds)
    sys.stdout.flush()
    print("\n" + json.dumps({"figures": figures, "not_run": not_run}))
    failed = any(isinstance(row, dict) and row.get("passed") is False for row in figures.values())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
