"""Further figures on a GPU: its measured peak, the share of it that is reached, and DFEW's hours."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any

import torch

from devtools.picture_folders import SIDE
from devtools.training_bench.clocks import wait_for
from devtools.training_bench.ways import OurTraining
from nrdfer.config.recipe import Recipe
from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_FRAMES, DFEW_TESTS
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.frame_cache import FrameCache
from nrdfer.evaluation.inference import predict
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.runtime.engine import Engine
from nrdfer.shards.reader import ShardReader

FOLDS, EPOCHS = 5, 70


def step_flops(macs: float) -> float:
    """Operations of one training step for each clip: two a multiply-add, and the backward pass is two forwards."""
    return macs * 2 * 3


def share_of_peak(clips_per_second: float, macs: float, peak: float) -> float:
    """The share of `peak` operations a second that a training at this rate reaches; `macs` of one clip's forward."""
    return clips_per_second * step_flops(macs) / peak


def projected_hours(train_rate: float, test_rate: float, decode_rate: float) -> float:
    """Hours of five folds of 70 epochs at DFEW's size, tested after every epoch; frames are decoded once a fold.

    Args:
        train_rate: clips per second.
        test_rate: clips per second.
        decode_rate: frames per second into the cache.
    """
    test = max(DFEW_TESTS.values())
    epoch = (DFEW_CLIPS - test) / train_rate + test / test_rate
    return FOLDS * (DFEW_FRAMES / decode_rate + EPOCHS * epoch) / 3600


def matmul_peak(device: torch.device, dtype: torch.dtype, side: int, repeats: int) -> float:
    """Operations a second of a large product of matrices, the quickest of some; as PyTorch is set up at present."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    quickest = float("inf")
    for _ in range(repeats + 1):  # the first one warms up, and is never the quickest
        wait_for(device)
        started = time.perf_counter()
        a @ b
        wait_for(device)
        quickest = min(quickest, time.perf_counter() - started)
    return 2 * side**3 / quickest


def test_rate(model: NRDFERNet, reader: ShardReader, recipe: Recipe, engine: Engine, cache: FrameCache | None) -> float:
    """Clips per second of `predict`, the median of three after one to warm up."""
    data = ClipDataset(reader, sorted(reader.clip_ids), image_size=SIDE, emotions=EMOTIONS, sampling=recipe.sampling)
    took = []
    for _ in range(4):
        started = time.perf_counter()
        predict(model, data, workers=engine.workers, cache=cache)
        took.append(time.perf_counter() - started)
    return len(reader.clip_ids) / statistics.median(took[1:])


def on_gpu(
    ours: Mapping[str, OurTraining],
    rates: Mapping[str, float],
    macs: int,
    reader: ShardReader,
    cache: FrameCache | None,
    decode_rate: float,
    *,
    device: torch.device,
    side: int = 8192,
) -> dict[str, Any]:
    """Figures on a GPU only: peak, share of it, and hours for DFEW, of each of our engines."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    peak = {
        name: matmul_peak(device, dtype, side, 20)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    shares, hours = {}, {}
    for name, way in ours.items():
        way.set_up()
        tested = test_rate(way.learner.model, reader, way.recipe, way.engine, cache)
        way.learner.model.train()
        shares[name] = round(share_of_peak(rates[name], macs, peak[way.engine.precision]), 4)
        hours[name] = {
            "test_clips_per_second": round(tested, 2),
            "hours": round(projected_hours(rates[name], tested, decode_rate), 2),
        }
    return {
        "matmul_peak_tflops": {name: round(value / 1e12, 2) for name, value in peak.items()},
        "share_of_peak": shares,
        "dfew_five_folds_70_epochs": hours,
        "cache": {
            "kind": "none" if cache is None else cache.kind,
            "frames_per_second_into_it": round(decode_rate, 1),
            "gigabytes_at_dfew": round(DFEW_FRAMES * SIDE * SIDE * 3 / 1e9, 1),
        },
    }
