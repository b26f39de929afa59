"""One end-to-end training of the benchmark: a network learns noisy clips and predicts every test clip.

The four networks of one seed start from the same weights, so that a seed is a pair: all parts are drawn, and those
that a network lacks are dropped. What is taken from the predictions belongs to ``measure``, frozen networks to
``backbones``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nrdfer.config.noise import COMPONENTS, N1, NoiseSettings
from nrdfer.config.recipe import Recipe
from nrdfer.noise.corpus import BACKBONE, LEARNT, TRAINING, read_truth
from nrdfer.runtime.engine import Engine
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.progress import Report
from nrdfer.training.request import TrainingRequest, network_identity

if TYPE_CHECKING:
    from nrdfer.data.dataset import ClipSource
    from nrdfer.data.settings import Sampling

PREDICTIONS = "predictions.parquet"
#: A network that classifies the mean of a clip's features: its temporal stage has no encoder, and its token is their
#: mean.
FROZEN = "mean-pooling"
_START, _BATCH = "start.safetensors", 32


def network_of(name: str, settings: NoiseSettings) -> tuple[str, dict[str, Any]]:
    """Registry name and full settings of a network of the benchmark.

    Raises:
        ProfileError: there is no such network or preset.
    """
    from nrdfer.models.registry import resolve_settings

    model: str = name
    values: dict[str, Any] = {}
    if name in COMPONENTS:
        dsf, dct = COMPONENTS[name]
        # the filter is read from one and the same training, on and off
        model, values = "nr-dfernet", {**settings.network, "dsf": dsf, "dct": dct, "sf": True}
    elif name == FROZEN:
        model = "nr-dfernet"
        values = {**settings.network, "dsf": True, "dct": True, "sf": False, "temporal_depth": 0}
    values["image_size"] = settings.image_size
    return model, resolve_settings(model, values, settings.network_preset).to_dict()


def recipe_of(name: str, settings: NoiseSettings, seed: int) -> Recipe:
    """The recipe of one training; its seed decides initialisation, order and augmentation."""
    return dataclasses.replace(settings.backbone_recipe if name == FROZEN else settings.recipe, seed=seed)


def shared_start(name: str, settings: NoiseSettings, seed: int) -> dict[str, Any]:
    """The weights from which a network of `COMPONENTS` starts: of one network with all parts, without those it lacks.

    Raises:
        ProfileError: a setting of the networks is not valid.
    """
    import torch

    from nrdfer.models.registry import build_model

    torch.manual_seed(seed)
    model, values = network_of("dsf", settings)  # with the dynamic branch, and with a learned token
    every = build_model(model, values).state_dict()
    own = build_model(*network_of(name, settings)).state_dict()
    return {part: every[part] for part in own}


@dataclass(frozen=True)
class NoiseTraining:
    """One training of the benchmark; its seed decides initialisation, order and augmentation."""

    network: str  # of `NoiseSettings.networks`, or FROZEN
    seed: int
    settings: NoiseSettings
    engine: Engine

    def config(self) -> dict[str, Any]:
        """Settings that determine the weights, except the clips, as an artefact's configuration.

        Raises:
            ProfileError: there is no such network or preset.
        """
        model, values = network_of(self.network, self.settings)
        return {
            "network": self.network,
            "model": model,
            "model_settings": values,
            "recipe": recipe_of(self.network, self.settings, self.seed).to_dict(),
            "engine": self.engine.numerics(),
            "start": "shared" if self.network in COMPONENTS else "own",
            **({"code": code} if (code := network_identity(model)[1]) else {}),
        }

    def request(self, clips: Path, work: Path, out: Path) -> TrainingRequest:
        """The training on the shards that `render_clips` wrote, on one device.

        Args:
            clips: those shards.
            work: folder of checkpoints, which survives a crash.
            out: receives the weights and the history.

        Raises:
            ProfileError: there is no such network or preset.
        """
        from nrdfer.models.saved_model import write_weights

        model, values = network_of(self.network, self.settings)
        name, code = network_identity(model)
        truth = read_truth(clips)
        learnt = BACKBONE if self.network == FROZEN else TRAINING
        # watched while it learns: one person's clips without noise; nothing is chosen by them
        watched = [row for row in truth if row["kind"] == N1 and row["level"] == 0]
        start = None
        if self.network in COMPONENTS:
            work.mkdir(parents=True, exist_ok=True)
            start = work / _START
            write_weights(start, shared_start(self.network, self.settings, self.seed))
        return TrainingRequest(
            name,
            values,
            recipe_of(self.network, self.settings, self.seed),
            dataclasses.replace(self.engine, devices=1),
            clips,
            tuple(row["clip_id"] for row in truth if row["kind"] == learnt),
            tuple(row["clip_id"] for row in watched if row["person"] == watched[0]["person"]),
            work,
            out,
            start,
            code=code,
        )


def train_and_predict(
    training: NoiseTraining,
    clips: Path,
    work: Path,
    out: Path,
    *,
    progress: Report | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train one network and write `PREDICTIONS` of every test clip into `out`; continues after a crash.

    Args:
        training: the network, and how it learns.
        clips: the shards that `render_clips` wrote.
        work: folder of checkpoints, which survives a crash.
        out: receives the predictions, the last epoch's weights and the history.
        progress: called after every batch.
        log: receives a message when testing begins.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; the same call continues.
        NrdferError: see `nrdfer.training.loop.train`.
    """
    from nrdfer.evaluation.inference import evaluate
    from nrdfer.models.saved_model import load_model
    from nrdfer.models.trained_files import LAST, MODEL
    from nrdfer.runtime.determinism import set_up
    from nrdfer.runtime.placement import places
    from nrdfer.shards.reader import ShardReader
    from nrdfer.training.loop import train

    request = training.request(clips, work, out)
    engine = request.engine
    rows = [row for row in read_truth(clips) if row["kind"] not in LEARNT]
    tested = [row["clip_id"] for row in rows]
    noisy = sorted(row["clip_id"] for row in rows if row["kind"] == N1 and row["level"] > 0)
    with places(engine), ShardReader(clips) as reader:
        train(request, TrainingCallbacks(on_batch=progress), source=reader)
        log(f"{training.network}, seed {training.seed}: {len(tested)} test clips")
        network = load_model(out / MODEL, out / LAST)
        network = network.to(set_up(dataclasses.replace(engine, precision="fp32")))
        sampling = request.recipe.sampling
        table = evaluate(network, reader, tested, sampling=sampling, workers=engine.workers)
        if training.network in COMPONENTS:
            weights = dict(zip(noisy, _attention(network, reader, noisy, sampling), strict=True))
            table["attention"] = [weights.get(clip_id, []) for clip_id in table["clip_id"]]
    table.to_parquet(out / PREDICTIONS, index=False)
    war = float((table["predicted"] == table["emotion"]).mean())
    return {"network": training.network, "seed": training.seed, "war": war}


def _attention(network: Any, reader: ClipSource, clip_ids: Sequence[str], sampling: Sampling) -> list[list[float]]:
    """The class token's attention to each feature of some clips, as the paper's Figure 5 has it."""
    import torch

    from nrdfer.data.dataset import ClipDataset

    s = network.settings
    data = ClipDataset(reader, clip_ids, image_size=s.image_size, emotions=s.emotions, sampling=sampling)
    device, found = next(network.parameters()).device, []
    with torch.inference_mode():
        for first in range(0, len(data), _BATCH):
            x_BTCHW, _ = data.batch(range(first, min(first + _BATCH, len(data))))
            found += network.frame_attention(torch.from_numpy(np.ascontiguousarray(x_BTCHW)).to(device)).tolist()
    return found
