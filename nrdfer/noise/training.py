"""One training of the benchmark: a network trains on noisy clips and predicts every test clip in every condition.

Which networks there are belongs to ``settings``, what is taken from the predictions to ``measure``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nrdfer.config.noise import COMPONENTS, N1, NoiseSettings
from nrdfer.config.recipe import Recipe
from nrdfer.noise.corpus import TRAINING, read_truth
from nrdfer.runtime.engine import Engine
from nrdfer.training.callbacks import TrainingCallbacks
from nrdfer.training.progress import Report
from nrdfer.training.request import TrainingRequest, network_identity

PREDICTIONS = "predictions.parquet"


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
        model, values = "nr-dfernet", {"dsf": dsf, "dct": dct, "sf": True}
    values["image_size"] = settings.image_size
    return model, resolve_settings(model, values, settings.network_preset).to_dict()


def recipe_of(settings: NoiseSettings, seed: int) -> Recipe:
    """The recipe of one training; its seed decides initialisation, order and augmentation."""
    return dataclasses.replace(settings.recipe, seed=seed)


@dataclass(frozen=True)
class NoiseTraining:
    """One training of the benchmark; its seed decides initialisation, order and augmentation."""

    network: str  # of `NoiseSettings.networks`
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
            "recipe": recipe_of(self.settings, self.seed).to_dict(),
            "engine": self.engine.numerics(),
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
        model, values = network_of(self.network, self.settings)
        name, code = network_identity(model)
        truth = read_truth(clips)
        return TrainingRequest(
            name,
            values,
            recipe_of(self.settings, self.seed),
            dataclasses.replace(self.engine, devices=1),
            clips,
            tuple(row["clip_id"] for row in truth if row["kind"] == TRAINING),
            # watched while it learns: the clips without noise; nothing is chosen by them
            tuple(row["clip_id"] for row in truth if row["kind"] == N1 and row["level"] == 0),
            work,
            out,
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
    tested = [row["clip_id"] for row in read_truth(clips) if row["kind"] != TRAINING]
    with places(engine), ShardReader(clips) as reader:
        train(request, TrainingCallbacks(on_batch=progress), source=reader)
        log(f"{training.network}, seed {training.seed}: {len(tested)} test clips")
        network = load_model(out / MODEL, out / LAST)
        network = network.to(set_up(dataclasses.replace(engine, precision="fp32")))
        sampling = request.recipe.sampling
        table = evaluate(network, reader, tested, sampling=sampling, workers=engine.workers, details=True)
    table.drop(columns=["state", "snippets_3", "snippets_6"]).to_parquet(out / PREDICTIONS, index=False)
    war = float((table["predicted"] == table["emotion"]).mean())
    return {"network": training.network, "seed": training.seed, "war": war}
