"""Not enough memory: a real process that may not have more, and a GPU's error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import TrainingError
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.runtime.engine import Engine
from nrdfer.training.out_of_memory import memory_errors
from tests.unit.training.tiny import ENGINE, run, spots

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]

# As much address space as a batch of one clip of the paper's size needs, not one of 14.
LIMITED = """
import resource, sys
from pathlib import Path

import numpy as np

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord
from nrdfer.data.in_memory import MemorySource
from nrdfer.runtime.engine import Engine
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.loop import train
from nrdfer.config.recipe import Recipe
from nrdfer.training.request import TrainingRequest

folder, batch = Path(sys.argv[1]), int(sys.argv[2])
ids = tuple(f"{i:05d}" for i in range(21))
frames = np.random.default_rng(0).integers(0, 256, (16, 112, 112, 3), np.uint8)
source = MemorySource((ClipRecord("dfew", i, EMOTIONS[int(i) % 7], "", 16, ""), frames) for i in ids)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    request = TrainingRequest(
        "nr-dfernet",
        {"widths": (64, 64, 64), "stage_blocks": (1, 1, 1), "spatial_depth": 1, "temporal_depth": 1},
        Recipe(epochs=1, batch=batch),
        Engine(device="cpu", threads=1, workers=0, cache="ram"),
        folder / "shards",
        ids[:14],
        ids[14:],
        folder / "work",
        folder / "out",
    )
    callbacks = TrainingCallbacks(on_batch=lambda now: sys.exit(f"batch {now.step} was learnt"))
    train(request, callbacks, source=source)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def _limited(folder: Path, batch: int, room: int) -> str:
    """What a training says at its end that may take `room` bytes more than the libraries have taken."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-c", LIMITED, str(folder), str(batch), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 1, (done.returncode, done.stderr)  # and not by a signal
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux holds a process to RLIMIT_AS")
def test_a_batch_too_large_for_the_machine_ends_with_what_makes_it_smaller(tmp_path: Path) -> None:
    room = 600 << 20  # 350 are too few for one clip, 700 for fourteen
    told = _limited(tmp_path / "large", 14, room)
    assert told.startswith("TrainingError: this machine has not enough memory for this training (")
    for remedy in ("lower batch (now 14)", "set cache: none (now ram)", "set precision: bf16"):
        assert remedy in told
    assert "GPU" not in told
    assert _limited(tmp_path / "small", 1, room) == "batch 1 was learnt"  # the first remedy is one


def _failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def objective(self: NRDFERNet, x_BTCHW: Tensor, y_B: Tensor) -> tuple[Tensor, Tensor]:
        raise error

    monkeypatch.setattr(NRDFERNet, "objective", objective)


def test_a_gpus_memory_has_remedies_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has a total capacity of 79.10 GiB"
    _failing(monkeypatch, torch.OutOfMemoryError(said))
    with pytest.raises(TrainingError, match="the GPU has not enough memory") as caught:
        run(spots(), tmp_path)
    told = str(caught.value)
    for part in ("Tried to allocate 2.00 GiB", "lower batch (now 4)", "set cache: none (now auto)", "bf16", "devices"):
        assert part in told
    assert "\n" not in told
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",  # memory to pin, a context
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    ],
    ids=lambda said: said.split()[2],
)
def test_a_full_gpu_is_recognised_whoever_tells_of_it(said: str) -> None:
    with (
        pytest.raises(TrainingError, match="the GPU has not enough memory") as caught,
        memory_errors(Recipe(), Engine()),
    ):
        raise RuntimeError(said)
    assert said.splitlines()[0] in str(caught.value)
    assert "devices" in str(caught.value)


def test_what_is_set_already_is_no_remedy() -> None:
    with pytest.raises(TrainingError) as caught, memory_errors(Recipe(), Engine(precision="bf16", cache="none")):
        raise MemoryError
    assert "out of memory" in str(caught.value)
    assert "bf16" not in str(caught.value)
    assert "cache: none" not in str(caught.value)


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 cannot be multiplied"), ValueError("no")], ids=repr)
def test_other_errors_are_none_of_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception) -> None:
    _failing(monkeypatch, error)
    with pytest.raises(type(error)) as caught:
        run(spots(), tmp_path, engine=ENGINE)
    assert caught.value is error
