"""One training of the benchmark: a network learns the noisy clips, and predicts every test clip in every condition.

Which networks there are belongs to ``settings``, what is taken from the predictions to ``measure``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nrdfer.config.profile import build_settings, merge
from nrdfer.noise.corpus import TRAINING, read_truth
from nrdfer.noise.settings import COMPONENTS, N1, NoiseSettings
from nrdfer.runtime.engine import Engine
from nrdfer.training.progress import Report
from nrdfer.training.recipe import Recipe, build_recipe

PREDICTIONS = "predictions.parquet"


def network_of(name: str, settings: NoiseSettings) -> tuple[str, dict[str, Any]]:
    """A network of the benchmark as the registry knows it: its name there, and all its settings.

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
    return model, dataclasses.asdict(resolve_settings(model, values, settings.network_preset))


def recipe_of(settings: NoiseSettings, seed: int) -> Recipe:
    """The recipe of one training; its seed decides initialisation, order and augmentation.

    Raises:
        ProfileError: unknown recipe or field.
    """
    return build_recipe(merge(settings.recipe, {"seed": seed}), "noise: recipe")


def engine_of(values: Mapping[str, Any]) -> Engine:
    """How trainings are computed.

    Raises:
        ProfileError: unknown field, or a value that cannot be meant.
    """
    return build_settings(Engine, values, "noise: engine")


def train_and_predict(
    name: str,
    seed: int,
    settings: NoiseSettings,
    engine: Engine,
    clips: Path,
    work: Path,
    out: Path,
    *,
    progress: Report | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Train one network and write `PREDICTIONS` of every test clip into `out`; continues after a crash.

    Args:
        name: of `NoiseSettings.networks`.
        seed: of the training.
        settings: of the benchmark.
        engine: how it is computed.
        clips: the shards that `render_clips` wrote.
        work: folder of checkpoints, which survives a crash.
        out: receives the predictions, the last epoch's weights and the history.
        progress: called after every batch.
        log: told when the testing begins.

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

    model, values = network_of(name, settings)
    recipe = recipe_of(settings, seed)
    truth = read_truth(clips)
    learnt = [row["clip_id"] for row in truth if row["kind"] == TRAINING]
    # watched while it learns: the clips without noise; nothing is chosen by them
    watched = [row["clip_id"] for row in truth if row["kind"] == N1 and row["level"] == 0]
    tested = [row["clip_id"] for row in truth if row["kind"] != TRAINING]
    engine = dataclasses.replace(engine, devices=1)
    with places(engine), ShardReader(clips) as reader:
        train(
            model,
            values,
            recipe,
            reader,
            learnt,
            watched,
            engine=engine,
            workdir=work,
            out=out,
            progress=progress,
        )
        log(f"{name}, seed {seed}: {len(tested)} test clips")
        network = load_model(out / MODEL, out / LAST)
        network = network.to(set_up(dataclasses.replace(engine, precision="fp32")))
        table = evaluate(network, reader, tested, sampling=recipe.sampling, workers=engine.workers, details=True)
    table.drop(columns=["state", "snippets_3", "snippets_6"]).to_parquet(out / PREDICTIONS, index=False)
    return {"network": name, "seed": seed, "war": float((table["predicted"] == table["emotion"]).mean())}
