"""Step: train the network on one fold, or fine-tune it on AFEW from a DFEW checkpoint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile, build_settings
from nrdfer.models.saved_model import EpochReport, best_epoch, read_history
from nrdfer.runtime.engine import Engine
from nrdfer.shards.index import INDEX
from nrdfer.shards.reader import ShardReader
from nrdfer.store import digest_of, file_sha256
from nrdfer.training.progress import Report
from nrdfer.training.recipe import Recipe, build_recipe


def recipe_of(profile: Profile, corpus: str) -> Recipe:
    """The recipe a profile uses for ``dfew`` or ``afew``."""
    values = profile.dfew_recipe if corpus == "dfew" else profile.afew_recipe
    return build_recipe(values, f"profile {profile.name}: {corpus}_recipe")


def engine_of(profile: Profile) -> Engine:
    """How a profile computes its trainings."""
    return build_settings(Engine, profile.engine, f"profile {profile.name}: engine")


def network_settings(profile: Profile) -> dict[str, Any]:
    """Every setting of the profile's network, defaults included.

    Raises:
        ProfileError: unknown network, preset or setting.
    """
    from nrdfer.models.registry import resolve_settings

    return dataclasses.asdict(resolve_settings(profile.model, profile.model_settings, profile.model_preset))


def identity(
    profile: Profile,
    corpus: str,
    shards: Path,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    initial_weights: Path | None = None,
) -> dict[str, Any]:
    """Everything that decides the bytes `train_fold` ends with, in plain types.

    Raises:
        ProfileError: unknown recipe, network or setting, or a value that cannot be meant.
    """
    return {
        "model": profile.model,
        "model_settings": network_settings(profile),
        "recipe": dataclasses.asdict(recipe_of(profile, corpus)),
        "engine": engine_of(profile).numerics(),
        "shards": file_sha256(shards / INDEX),
        "clips": digest_of([sorted(train_ids), sorted(test_ids)]),
        "initial": file_sha256(initial_weights) if initial_weights else "from scratch",
    }


def train_fold(
    profile: Profile,
    corpus: str,
    shards: Path,
    train_ids: Sequence[str],
    test_ids: Sequence[str],
    work: Path,
    out: Path,
    *,
    initial_weights: Path | None = None,
    on_epoch: Callable[[Mapping[str, Any]], None] | None = None,
    progress: Report | None = None,
    decoding: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train one fold; continues from the checkpoint in `work` if there is one.

    On several devices each batch is shared among as many processes; of several GPUs the least used ones are taken.

    Args:
        profile: names the model, its settings, the recipe and the engine.
        corpus: ``dfew`` or ``afew``; selects the recipe.
        shards: folder of the shards.
        train_ids: clips to learn from.
        test_ids: clips to test on after every epoch.
        work: folder of the checkpoints and the log, which survive a crash.
        out: receives `LAST`, `BEST`, `HISTORY`, `MODEL`.
        initial_weights: weights to start from (AFEW starts from DFEW's first fold).
        on_epoch: called after each epoch with its figures.
        progress: called after every batch.
        decoding: called with (clips decoded, clips) while the engine's cache is filled.

    Returns:
        Figures of the last epoch and of the best one.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; everything is saved, and the same call continues.
        NrdferError: see `nrdfer.training.loop.train`.
    """
    from nrdfer.runtime.placement import places
    from nrdfer.training.launch import Task, train_on_ranks
    from nrdfer.training.loop import train
    from nrdfer.training.monitor import Follower

    task = Task(
        profile.model,
        network_settings(profile),
        recipe_of(profile, corpus),
        engine_of(profile),
        shards,
        tuple(train_ids),
        tuple(test_ids),
        work,
        out,
        initial_weights,
    )
    with places(task.engine) as place:
        task = dataclasses.replace(task, engine=dataclasses.replace(task.engine, devices=place.world))
        if place.world == 1:
            train(
                task.model,
                task.settings,
                task.recipe,
                ShardReader(shards),
                task.train_ids,
                task.test_ids,
                engine=task.engine,
                workdir=work,
                out=out,
                initial_weights=initial_weights,
                on_epoch=None if on_epoch is None else lambda report: on_epoch(dataclasses.asdict(report)),
                progress=progress,
                decoding=decoding,
            )
        else:
            follower = Follower(work, on_epoch, progress)
            train_on_ranks(task, place.world, place.visible, follower.look)
    reports = [EpochReport(**row) for row in read_history(out)]
    figures = {"last": reports[-1], "best": best_epoch(reports)}
    return {"epochs": len(reports), **{name: dataclasses.asdict(report) for name, report in figures.items()}}
