"""What a GPU must do as the CPU does: copies, streams, frames kept on it, augmentation, precision, memory, processes.

Each check takes the device, raises BrokenError where the property does not hold, and returns its figures. On a CPU
it runs the same code as a stand-in; `Check.unseen` says what that does not show.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from devtools.gpu_check import training_checks
from devtools.gpu_check.clips import (
    BATCH,
    RECIPE,
    SIDE,
    BrokenError,
    batches_of,
    dataset,
    hold,
    smooth_pictures,
    source,
)
from devtools.shard_files import write_shards
from nrdfer.core.errors import TrainingError
from nrdfer.data.augment import DRAWS, apply, change_of
from nrdfer.data.augment_gpu import MAX_LEVELS, MEAN_LEVELS, apply_batch, pack
from nrdfer.data.batch_staging import pinned
from nrdfer.data.frame_cache import FrameCache
from nrdfer.data.loader import BatchLoader
from nrdfer.data.settings import AugmentSettings, Sampling
from nrdfer.runtime.determinism import full_precision, set_up
from nrdfer.runtime.engine import Engine
from nrdfer.shards.decoded_frames import shared_cache
from nrdfer.shards.reader import ShardReader
from nrdfer.store import Store
from nrdfer.training.out_of_memory import memory_errors

CPU = torch.device("cpu")
_SPIN = 50_000_000  # cycles for which a GPU's stream is kept busy: tens of milliseconds


@dataclass(frozen=True)
class Check:
    """One property."""

    run: Callable[[torch.device], dict[str, Any]]
    unseen: str  # what it does not show without a GPU

    @property
    def name(self) -> str:
        """Name in the report."""
        return self.run.__name__


def forked_process_before_cuda(device: torch.device) -> dict[str, Any]:
    """A process forked from one that has loaded the training, but no CUDA, computes on the device."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nrdfer.training.loop"])
    answers = context.Queue()
    child = context.Process(target=_compute, args=(device.type, answers))
    child.start()
    told: dict[str, Any] = answers.get(timeout=90)
    child.join(30)
    hold(child.exitcode == 0 and not told["initialised_before"] and told["sum"] == 10.0, told)
    return told


def _compute(device: str, answers: Any) -> None:
    before = torch.cuda.is_initialized()
    answers.put({"initialised_before": before, "sum": float(torch.arange(5.0, device=device).sum())})


def pinned_copies(device: torch.device) -> dict[str, Any]:
    """Frames that a batch collects reach the device unchanged, through memory that it can read by itself."""
    host = torch.from_numpy(smooth_pictures(0, 8))
    held = pinned(host, device)
    hold(held.is_pinned() == (device.type == "cuda"))
    there = held.to(device, non_blocking=True)
    hold(torch.equal(there.cpu(), host))
    return {"bytes": host.numel(), "pinned": held.is_pinned()}


def streams(device: torch.device) -> dict[str, Any]:
    """Batches that threads make on a stream of their own are whole when a slow consumer reads them, long afterwards."""
    data, parts = dataset(), batches_of(12)
    made = BatchLoader(data, device, workers=0, on_device=True).batches(parts, 1)
    expected = [batch.x_BTCHW.clone() for batch in made]
    seen = []
    for batch in BatchLoader(data, device, workers=3, on_device=True).batches(parts, 1):
        if device.type == "cuda":
            torch.cuda._sleep(_SPIN)  # the copy below waits; the loader's memory must not be given out meanwhile
        seen.append(batch.x_BTCHW.clone())
        del batch
    hold(all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True)))
    return {"batches": len(seen)}


def gpu_cache(device: torch.device) -> dict[str, Any]:
    """Frames kept on the device are those that were read, and batches from them those from decoded frames."""
    data, parts = dataset(), batches_of(4)
    cache = FrameCache(data.source, data.clip_ids, "gpu", device, workers=2)
    plans = [data.plan(int(position), 1) for position in parts[0]]
    gathered = cache.gather(plans, Sampling()).cpu().numpy()
    hold(all(np.array_equal(clip, data.read(plan)) for clip, plan in zip(gathered, plans, strict=True)))
    kept = BatchLoader(data, device, workers=2, cache=cache).batches(parts, 1)
    read = BatchLoader(data, device, workers=2, on_device=True).batches(parts, 1)
    hold(all(torch.equal(a.x_BTCHW, b.x_BTCHW) for a, b in zip(kept, read, strict=True)))
    return {"bytes": cache.bytes}


def shared_frames(device: torch.device) -> dict[str, Any]:
    """Batches from the file that processes share are those from the shards."""
    with tempfile.TemporaryDirectory() as folder:
        shards, clips = Path(folder) / "shards", source()
        shards.mkdir()
        write_shards(((clips.record(i), clips.frames(i)) for i in clips.clip_ids), shards, prefix="c")
        reader, parts = ShardReader(shards), batches_of(4)
        data = dataset()
        data.source = reader
        cache = shared_cache(reader, reader.clip_ids, device, workers=2, store=Store(Path(folder) / "store"))
        kept = BatchLoader(data, device, workers=2, cache=cache, on_device=True).batches(parts, 1)
        read = BatchLoader(data, device, workers=0, on_device=True).batches(parts, 1)
        hold(all(torch.equal(a.x_BTCHW, b.x_BTCHW) for a, b in zip(kept, read, strict=True)))
        return {"bytes": cache.bytes}


def augmentation(device: torch.device) -> dict[str, Any]:
    """A batch augmented on the device differs from OpenCV's by no more levels of 255 than stated."""
    found, size = {}, (SIDE, SIDE)
    rng = np.random.default_rng(0)
    settings = AugmentSettings(brightness=0.0)
    for kind in MEAN_LEVELS:
        smooth = kind == "smooth"
        clips = [
            smooth_pictures(i, 4) if smooth else rng.integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)
            for i in range(BATCH)
        ]
        changes = [change_of(size, 32, settings, rng.random(DRAWS).tolist()) for _ in clips]
        packed = (part.to(device) for part in pack(changes, size))
        batch = apply_batch(torch.from_numpy(np.stack(clips)).to(device), *packed, 32).cpu().numpy()
        levels = (
            np.abs(batch - np.stack([apply(c, change, 32) for c, change in zip(clips, changes, strict=True)])) * 255
        )
        mean, most = float(levels.mean()), float(levels.max())
        hold(mean <= MEAN_LEVELS[kind] and most <= MAX_LEVELS[kind], (kind, mean, most))
        found[kind] = {"mean_levels": round(mean, 4), "max_levels": round(most, 3)}
    return found


def tf32(device: torch.device) -> dict[str, Any]:
    """Products are true float32 unless an engine asks for less, and in tests always."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(256, 256, generator=rng) for _ in range(2))
    exact = a.double() @ b.double()

    def error() -> float:
        product = (a.to(device) @ b.to(device)).cpu().double()
        return float((product - exact).norm() / exact.norm())

    try:
        set_up(Engine(device=device.type))
        found = {"fp32": error()}
        hold(found["fp32"] < 2e-6, found)
        if device.type == "cuda":
            set_up(Engine(device="cuda", precision="tf32"))
            found["tf32"] = error()
            with full_precision():
                found["tf32_in_tests"] = error()
            hold(2e-5 < found["tf32"] < 2e-3 and found["tf32_in_tests"] < 2e-6, found)
    finally:
        set_up(Engine(device=device.type))
    return found


def norms_and_sums_over_ranks(device: torch.device) -> dict[str, Any]:
    """A group of one process sums, and normalises over its devices as over one."""
    on_gpu = device.type == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        dist.init_process_group(
            "nccl" if on_gpu else "gloo", init_method=f"file://{folder}/store", rank=0, world_size=1
        )
        try:
            values = torch.arange(4.0, device=device)
            dist.all_reduce(values)
            hold(values.tolist() == [0.0, 1.0, 2.0, 3.0])
            if not on_gpu:
                return {"backend": "gloo"}
            torch.manual_seed(0)
            x = torch.randn(8, 16, 7, 7, device=device)
            plain = nn.BatchNorm2d(16).to(device).train()
            together = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(16)).to(device).train()
            difference = float((plain(x) - together(x)).abs().max())
            hold(difference < 1e-5, difference)
            return {"backend": "nccl", "largest_difference": difference}
        finally:
            dist.destroy_process_group()


def out_of_memory(device: torch.device) -> dict[str, Any]:
    """Too little memory is said in words that name what to lower, and the device works afterwards."""
    try:
        with memory_errors(RECIPE, Engine(device=device.type)):
            torch.empty(1 << 50, dtype=torch.uint8, device=device)
    except TrainingError as error:
        said = str(error)
    else:
        raise BrokenError("a petabyte was given out")
    where = "the GPU" if device.type == "cuda" else "this machine"
    hold(said.startswith(f"{where} has not enough memory") and "lower batch" in said, said)
    hold(float(torch.ones(4, device=device).sum()) == 4.0)
    return {"said": said[:160]}


#: In this order: the first needs a process that has not touched a GPU.
CHECKS = (
    Check(forked_process_before_cuda, "that CUDA can be started in a forked process"),
    Check(pinned_copies, "asynchronous copies from pinned memory"),
    Check(streams, "that a stream's memory is not given out while another reads it"),
    Check(gpu_cache, "gathering frames by a GPU's index kernels"),
    Check(shared_frames, "copies from the mapped file to a GPU"),
    Check(augmentation, "rounding of a GPU's sampling and sums"),
    Check(tf32, "TF32: a CPU has none"),
    Check(training_checks.same_bytes_twice, "deterministic kernels of cuDNN and cuBLAS"),
    Check(training_checks.bfloat16, "rounding of a GPU's bfloat16 products"),
    Check(training_checks.near_the_cpu, "that a GPU's float32 losses are the CPU's"),
    Check(training_checks.recorded_steps, "CUDA graphs: a CPU repeats the work in the same places"),
    Check(training_checks.larger_tests, "TF32 and bfloat16 in tests on a GPU"),
    Check(norms_and_sums_over_ranks, "NCCL and SyncBatchNorm, which need a GPU"),
    Check(out_of_memory, "the messages of a GPU's allocator"),
)
