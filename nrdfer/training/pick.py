"""The pick of an engine that is to measure: which options are quickest here, measured once and kept for the training.

Whole steps without loading are timed on made up clips, option by option, for a minute at most. The pick is written
beside the checkpoints before the first step, so that a training that continues keeps it. How a
training is computed belongs to `nrdfer.runtime.engine`.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import TrainingError
from nrdfer.models.registry import build_recorded
from nrdfer.runtime.determinism import seed_step, set_up
from nrdfer.runtime.devices import pick_device
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import AUTO_PICKS, Engine
from nrdfer.training.checkpoint import list_checkpoints
from nrdfer.training.learner import Learner
from nrdfer.training.request import TrainingRequest

FILE = "engine.json"  # in the work folder
SECONDS = 60.0  # of measuring, without a step that is under way
_STEPS = 3  # that are timed at least, after one that warms up
_EACH = 6.0  # seconds for which one is timed at most
_log = logging.getLogger(__name__)

#: Options by name, the most promising first. Compiling is tried on a GPU only: on a CPU it takes minutes, and gained
#: nothing where it was measured (docs/performance.md).
_ANYWHERE: Mapping[str, Mapping[str, Any]] = {
    "reference": {},
    "fused": {"fused": True},
    "bf16-fused": {"precision": "bf16", "fused": True},
}
_ON_GPU: Mapping[str, Mapping[str, Any]] = {
    "bf16-graphs-fused": {"precision": "bf16", "graphs": True, "fused": True, "deterministic": False},
    "bf16-compile-graphs-fused": {
        "precision": "bf16", "compile": True, "graphs": True, "fused": True, "deterministic": False,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Pick:
    """What was measured, and what was picked."""

    name: str
    options: Mapping[str, Any]  # fields of the engine
    clips_per_second: Mapping[str, float]  # of those that ran, by name
    left_out: Mapping[str, str]  # why others did not, by name

    @classmethod
    def read(cls, path: Path) -> Pick:
        """The pick that was written earlier.

        Raises:
            TrainingError: the file is damaged.
        """
        try:
            found = cls(**json.loads(path.read_text()))
            unknown = set(found.options) - set(AUTO_PICKS)
            if unknown or found.name not in found.clips_per_second:
                raise ValueError(f"it names {', '.join(sorted(unknown)) or found.name}")
            Engine(**found.options)
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise TrainingError(
                f"{path} does not say how this training is computed ({error}): it was changed or damaged. Restore it, "
                "or begin the training anew in another folder"
            ) from error
        return found


def with_pick(request: TrainingRequest) -> TrainingRequest:
    """The request with its engine's options picked, if the engine is to pick; its `workdir` exists.

    Raises:
        TrainingError: the training has begun, but its pick is missing, damaged, or one of a GPU that is not here; or no
            option works here.
    """
    if not request.engine.auto:
        return request
    path = request.workdir / FILE
    if path.exists():
        pick = Pick.read(path)
        if pick.options.get("graphs") and pick_device(request.engine.device).type != "cuda":
            raise TrainingError(
                f"{path}: this training was begun on a GPU, with the options {pick.name}, and none is here; continue "
                "it where one is, or begin it anew in another folder"
            )
    else:
        if list_checkpoints(request.workdir):
            raise TrainingError(
                f"{path} is missing, though this training has begun: it says how it is computed. Restore it, or begin "
                "the training anew in another folder"
            )
        pick = measured(request)
        write_whole(path, json.dumps(dataclasses.asdict(pick), indent=1).encode())
    rates = ", ".join(f"{name} {rate:.1f}" for name, rate in pick.clips_per_second.items())
    _log.info("engine: auto picked %s (clips per second: %s)", pick.name, rates)
    return dataclasses.replace(request, engine=dataclasses.replace(request.engine, **pick.options))


def pick_of(workdir: Path) -> dict[str, Any]:
    """The pick of a training that has one, for its figures; empty otherwise."""
    path = workdir / FILE
    return {"engine_pick": dataclasses.asdict(Pick.read(path))} if path.exists() else {}


def measured(request: TrainingRequest, seconds: float = SECONDS) -> Pick:
    """Time the options one after the other, and pick the quickest.

    Raises:
        TrainingError: none of them works here.
    """
    began, rates, left_out = time.monotonic(), dict[str, float](), dict[str, str]()
    device = set_up(request.engine)
    options = {**_ANYWHERE, **(_ON_GPU if device.type == "cuda" else {})}
    for name, changes in options.items():
        if time.monotonic() - began > seconds:
            left_out[name] = f"{seconds:.0f} s were over"
            continue
        try:
            rates[name] = round(_rate(request, dataclasses.replace(request.engine, **changes)), 2)
        except (TrainingError, RuntimeError, MemoryError) as error:  # no compiler, too little memory
            left_out[name] = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        _give_back(device)
    if not rates:
        raise TrainingError(
            f"engine: auto found no way to compute this training ({'; '.join(left_out.values())}); lower batch in the "
            "recipe, or set auto: false"
        )
    name = max(rates, key=lambda name: rates[name])
    return Pick(name, dict(options[name]), rates, left_out)


def _give_back(device: torch.device) -> None:
    """Free what an option held, so that the next one and the training find the memory that there is.

    A learner and the step that it recorded refer to each other: only the collector of cycles frees them.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _rate(request: TrainingRequest, engine: Engine) -> float:
    """Clips per second of whole steps with an engine, on made up clips."""
    recipe = request.recipe
    device = set_up(engine)
    torch.manual_seed(recipe.seed)
    model = build_recorded(request.model, request.code, request.model_settings)
    learner = Learner(model, recipe, engine, device, Ranks(), 1)
    learner.model.train()
    size, classes = model.settings.image_size, len(model.settings.emotions)
    x_BTCHW = torch.rand(recipe.batch, model.settings.frames, 3, size, size, device=device)
    y_B = torch.arange(recipe.batch, device=device) % classes

    def step(number: int) -> None:
        seed_step(recipe.seed, 0, number, 0)
        loss, _ = learner.loss(x_BTCHW, y_B)
        learner.update(loss, 1)

    step(0)
    _wait_for(device)
    started, done = time.perf_counter(), 0
    while done < _STEPS or (device.type == "cuda" and time.perf_counter() - started < _EACH and done < 50):
        done += 1
        step(done)
    _wait_for(device)
    return recipe.batch * done / (time.perf_counter() - started)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
