"""A frozen network, and the features that it makes of every clip: what temporal stages are trained and tested on.

The network is NR-DFERNet without a temporal stage, trained by classifying the mean of a clip's features, on clips of
other people without noise: neither a token nor noise has shaped it. Its features are reduced to their principal
components. What is learned from them belongs to ``stages``. Shapes: N clips, V views, P features a clip, D their
width, d after reduction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nrdfer.config.noise import ARMS, NoiseSettings
from nrdfer.core.errors import NrdferError
from nrdfer.core.progress import Progress
from nrdfer.noise.corpus import LEARNT, arm_clips, read_truth
from nrdfer.noise.training import NoiseTraining
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.progress import Report

LEARNT_FEATURES, TESTED_FEATURES, TESTED_FRAMES = "training.npy", "tested.npy", "frames.npy"
_BATCH, _ROWS = 32, 1 << 15  # clips, and features, at a time
Array = npt.NDArray[np.float32]


def learnt_clips(settings: NoiseSettings) -> list[str]:
    """Ids of the training clips of all arms, sorted: the rows of `LEARNT_FEATURES`."""
    return sorted({clip for arm in ARMS for clip in arm_clips(arm, settings)})


def tested_clips(clips: Path) -> list[dict[str, Any]]:
    """The test clips, sorted by id: the rows of `TESTED_FEATURES`."""
    return sorted((row for row in read_truth(clips) if row["kind"] not in LEARNT), key=lambda row: row["clip_id"])


def train_backbone(
    training: NoiseTraining,
    clips: Path,
    work: Path,
    out: Path,
    *,
    progress: Report | None = None,
    done: Progress = lambda _done, _total: None,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train a frozen network and write its weights and features into `out`; the training continues after a crash.

    Args:
        training: of the network.
        clips: the shards that `render_clips` wrote.
        work: folder of checkpoints, which survives a crash.
        out: receives the weights, `LEARNT_FEATURES` (N, V, P, d), `TESTED_FEATURES` (N, P, d) and `TESTED_FRAMES`
            (N, P), which frame of its clip a feature is of.
        progress: called after every batch of training.
        done: called with the number of clips whose features are made.
        log: receives messages.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; the same call continues.
        NrdferError: see `nrdfer.training.loop.train`; or the network has fewer features than components are wanted.
    """
    from nrdfer.data.dataset import ClipDataset
    from nrdfer.models.saved_model import load_model
    from nrdfer.models.trained_files import LAST, MODEL
    from nrdfer.runtime.determinism import set_up
    from nrdfer.runtime.placement import places
    from nrdfer.shards.reader import ShardReader
    from nrdfer.training.loop import train

    settings, request = training.settings, training.request(clips, work, out)
    recipe, tested = request.recipe, [row["clip_id"] for row in tested_clips(clips)]
    with places(request.engine), ShardReader(clips) as reader:
        trained = train(request, TrainingCallbacks(on_batch=progress), source=reader)
        network: Any = load_model(out / MODEL, out / LAST)
        network = network.to(set_up(dataclasses.replace(request.engine, precision="fp32"))).eval()
        s = network.settings
        learnt = ClipDataset(
            reader, learnt_clips(settings), image_size=s.image_size, emotions=s.emotions, sampling=recipe.sampling,
            seed=recipe.seed, augment=recipe.augment,
        )  # fmt: skip
        seen = ClipDataset(reader, tested, image_size=s.image_size, emotions=s.emotions, sampling=recipe.sampling)
        log(f"{training.network}, seed {training.seed}: features of {len(learnt)} and {len(seen)} clips")
        total = settings.stage.views * len(learnt) + len(seen)
        first = _features(network, learnt, 1)
        reduce = _reduction(first, settings.stage.width)
        views = [reduce(first)]
        done(len(learnt), total)
        for view in range(1, settings.stage.views):
            views.append(reduce(_features(network, learnt, 1 + view)))
            done((view + 1) * len(learnt), total)
        of_tests = reduce(_features(network, seen, 0))
        done(total, total)
    np.save(out / LEARNT_FEATURES, np.stack(views, 1))
    np.save(out / TESTED_FEATURES, of_tests)
    np.save(out / TESTED_FRAMES, np.array([seen.plan(place).indices for place in range(len(seen))])[:, :-1])
    return {"seed": training.seed, "features": len(of_tests), "war": trained.last.test_war}


def _features(network: Any, data: Any, view: int) -> Array:
    import torch

    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for places in _batches(len(data)):
            x_BTCHW, _ = data.batch(places, view)
            parts.append(network.features(torch.from_numpy(np.ascontiguousarray(x_BTCHW)).to(device)).cpu().numpy())
    return np.concatenate(parts)


def _batches(count: int) -> Iterator[npt.NDArray[np.int64]]:
    for start in range(0, count, _BATCH):
        yield np.arange(start, min(start + _BATCH, count))


def _reduction(features: Array, width: int) -> Callable[[Array], Array]:
    """Projection on the first principal components of the training clips' features, scaled to unit variance overall."""
    rows = features.reshape(-1, features.shape[-1])
    if width > rows.shape[1]:
        raise NrdferError(
            f"the noise benchmark's stage has width {width}, but the network only {rows.shape[1]} features; lower "
            "`stage: {width}` in the profile's `noise`"
        )
    mean = rows.mean(0, dtype=np.float64)
    covariance = np.zeros((rows.shape[1], rows.shape[1]))
    for part in np.array_split(rows, -(-len(rows) // _ROWS)):  # a copy of all in float64 would take gigabytes
        covariance += (part - mean).T @ (part - mean)
    values, vectors = np.linalg.eigh(covariance / len(rows))
    basis = vectors[:, ::-1][:, :width]
    basis = basis * np.sign(basis[np.abs(basis).argmax(0), np.arange(width)])  # the same signs on every machine
    scale = max(float(values[::-1][:width].mean()), 1e-30) ** 0.5
    away, turn = (mean @ basis / scale).astype(np.float32), (basis / scale).astype(np.float32)
    return lambda x: x @ turn - away
