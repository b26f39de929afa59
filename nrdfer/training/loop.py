"""The training loop: read it top to bottom in one sitting.

Deterministic on one machine: a training that was killed and continued ends with the same weights, bit for bit, as
one that was not. Continues at the beginning of the epoch in which it was interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from nrdfer.clips.dataset import ClipDataset, ClipSource
from nrdfer.errors import TrainingError, WeightsError
from nrdfer.evaluation.evaluate import evaluate
from nrdfer.evaluation.protocols import fold_metrics
from nrdfer.models.registry import build_model
from nrdfer.training.checkpoint import load_newest, save_checkpoint
from nrdfer.training.recipe import Recipe

LAST, BEST, HISTORY, MODEL = "last.safetensors", "best.safetensors", "history.jsonl", "model.json"


@dataclass(frozen=True)
class EpochReport:
    """Figures of one epoch, as they stand in the history."""

    epoch: int  # counts from 1
    lr: float
    train_loss: float
    train_war: float
    test_war: float
    test_uar: float
    test_war_unfiltered: float
    test_uar_unfiltered: float
    seconds: float


def pick_device(name: str) -> torch.device:
    """``auto`` is the GPU if there is one."""
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def train(
    model_name: str,
    model_settings: Mapping[str, Any],
    recipe: Recipe,
    source: ClipSource,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    *,
    workdir: Path,
    out: Path,
    initial_weights: Path | None = None,
    on_epoch: Callable[[EpochReport], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[EpochReport]:
    """Train one network on one split; returns one report an epoch.

    Args:
        model_name: name in `nrdfer.models.registry`.
        model_settings: the network's settings.
        recipe: the training's settings.
        source: where clips are read.
        train_ids: clips to learn from.
        test_ids: clips to test on after every epoch; they decide nothing but which epoch is called best.
        workdir: checkpoints; a training continues from the newest one there.
        out: receives ``last.safetensors``, ``best.safetensors``, ``history.jsonl`` and ``model.json``.
        initial_weights: safetensors of the same network to start from.
        on_epoch: called after each epoch, when its checkpoint and history are on disk.
        progress: called with (batches done, batches).

    Raises:
        TrainingError: a loss that is not a number.
        WeightsError: `initial_weights` do not fit the network.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.manual_seed(recipe.seed)
    device = pick_device(recipe.device)
    model = build_model(model_name, model_settings)
    if initial_weights is not None:
        load_weights(model, initial_weights)
    model.to(device)
    data = ClipDataset(
        source,
        sorted(train_ids),
        image_size=model.settings.image_size,
        segments=recipe.segments,
        duration=recipe.duration,
        seed=recipe.seed,
        augment=recipe.augment,
    )
    batches = math.ceil(len(data) / recipe.batch)
    optimiser = torch.optim.SGD(
        model.parameters(), recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )
    scheduler = _schedule(optimiser, recipe, batches)
    reports: list[EpochReport] = []
    best: dict[str, torch.Tensor] = {}
    state = load_newest(workdir)
    if state is not None:
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["rng"])
        reports = [EpochReport(**row) for row in state["reports"]]
        best = state["best"]
    _write_history(workdir, reports)

    for epoch in range(len(reports) + 1, recipe.epochs + 1):
        started = time.monotonic()
        lr = optimiser.param_groups[0]["lr"]
        model.train()
        order = data.order(epoch, recipe.oversample)
        loss_sum = correct = 0.0
        for number in range(batches):
            positions = order[number * recipe.batch : (number + 1) * recipe.batch]
            x, y = data.batch(positions, epoch)
            x_BTCHW, y_B = torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)
            logits_BK = model(x_BTCHW)
            loss = F.cross_entropy(logits_BK, y_B)
            if not torch.isfinite(loss):
                clips = [data.clip_ids[p] for p in positions]
                raise TrainingError(
                    f"the loss became {loss.item()} in epoch {epoch}, batch {number + 1} of {batches} (lr {lr:g}; clips "
                    f"{', '.join(clips[:4])} ...). Lower lr, or set clip_norm in the recipe"
                )
            optimiser.zero_grad()
            loss.backward()
            if recipe.clip_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
            optimiser.step()
            if recipe.schedule == "onecycle":
                scheduler.step()
            loss_sum += loss.item() * len(positions)
            correct += float((logits_BK.argmax(-1) == y_B).sum())
            if progress is not None:
                progress((epoch - 1) * batches + number + 1, recipe.epochs * batches)
        if recipe.schedule == "exponential":
            scheduler.step()
        tested = fold_metrics(
            evaluate(model, source, test_ids, segments=recipe.segments, duration=recipe.duration)
        )
        report = EpochReport(
            epoch=epoch,
            lr=lr,
            train_loss=loss_sum / len(order),
            train_war=correct / len(order),
            test_war=tested["war"],
            test_uar=tested["uar"],
            test_war_unfiltered=tested["war_unfiltered"],
            test_uar_unfiltered=tested["uar_unfiltered"],
            seconds=round(time.monotonic() - started, 2),
        )
        if not best or report.test_war > max(earlier.test_war for earlier in reports):
            best = _weights(model)
        reports.append(report)
        save_checkpoint(
            workdir,
            epoch,
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "scheduler": scheduler.state_dict(),
                "rng": torch.get_rng_state(),
                "reports": [dataclasses.asdict(row) for row in reports],
                "best": best,
            },
        )
        _write_history(workdir, reports)
        if on_epoch is not None:
            on_epoch(report)

    save_file(_weights(model), out / LAST)
    save_file(best, out / BEST)
    _write_history(out, reports)
    description = {
        "model": model_name,
        "settings": dict(model_settings),
        "recipe": dataclasses.asdict(recipe),
    }
    (out / MODEL).write_text(json.dumps(description, indent=1))
    return reports


def load_weights(model: nn.Module, path: Path) -> None:
    """Load safetensors into a network of the same settings.

    Raises:
        WeightsError: the file is missing, unreadable, or of another network.
    """
    try:
        model.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f"weights {path} do not fit the network: {str(error)[:400]}") from error
    except Exception as error:  # safetensors has its own error class, made outside Python
        raise WeightsError(f"weights {path} cannot be read: {error}") from error


def _schedule(
    optimiser: torch.optim.Optimizer, recipe: Recipe, batches: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if recipe.schedule == "exponential":
        return torch.optim.lr_scheduler.ExponentialLR(optimiser, recipe.gamma)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        recipe.lr,
        total_steps=recipe.epochs * batches,
        pct_start=recipe.warmup,
        cycle_momentum=False,
    )


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}


def _write_history(folder: Path, reports: Sequence[EpochReport]) -> None:
    temporary = folder / f".{HISTORY}.tmp"
    temporary.write_text("".join(json.dumps(dataclasses.asdict(row)) + "\n" for row in reports))
    temporary.replace(folder / HISTORY)
