"""Step: train the network on one fold, or fine-tune it on AFEW from a DFEW checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.config import Profile, build_settings
from nrdfer.errors import CorpusError
from nrdfer.shards.reader import ShardReader
from nrdfer.stages.loop_hook import LoopHook
from nrdfer.training.engine import Engine
from nrdfer.training.progress import Report
from nrdfer.training.recipe import Recipe, build_recipe

LAST = "last.safetensors"  # honest protocol: nothing chosen on test data
BEST = "best.safetensors"  # paper protocol: best epoch on the test fold
HISTORY = "history.jsonl"
MODEL = "model.json"


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
    import dataclasses

    from nrdfer.models.registry import resolve_settings

    return dataclasses.asdict(resolve_settings(profile.model, profile.model_settings, profile.model_preset))


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
    progress: Report | None = None,
) -> dict[str, Any]:
    """Train one fold; continues from the checkpoint in `work` if there is one.

    Args:
        profile: names the model, its settings and the recipe.
        corpus: ``dfew`` or ``afew``; selects the recipe.
        shards: folder of the shards.
        train_ids: clips to learn from.
        test_ids: clips to test on after every epoch.
        work: folder of the checkpoints that survive a crash.
        out: receives `LAST`, `BEST`, `HISTORY`, `MODEL`.
        initial_weights: weights to start from (AFEW starts from DFEW's first fold).
        progress: called after every batch.

    Returns:
        Figures of the last epoch and of the best one.
    """
    from nrdfer.training.loop import train

    reader = ShardReader(shards)
    recipe = recipe_of(profile, corpus)
    hook = LoopHook(work, recipe, len(train_ids), progress)
    train(
        profile.model,
        network_settings(profile),
        recipe,
        reader,
        list(train_ids),
        list(test_ids),
        engine=engine_of(profile),
        workdir=work,
        out=out,
        initial_weights=initial_weights,
        on_epoch=lambda _: hook.epoch_done(),
        progress=hook.batch_done,
    )
    hook.epoch_done()  # one that a kill kept from being logged
    history = read_history(out)
    best = max(history, key=lambda row: (row["test_war"], -row["epoch"]))
    return {"epochs": len(history), "last": history[-1], "best": best}


def read_history(folder: Path) -> list[dict[str, Any]]:
    """One row an epoch, in order; empty if no epoch has ended."""
    path = folder / HISTORY
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def afew_split(shards: Path) -> Mapping[str, list[str]]:
    """AFEW's clips by split: ``train`` and ``val``.

    Raises:
        CorpusError: a split has no clip left.
    """
    reader = ShardReader(shards)
    split: dict[str, list[str]] = {"train": [], "val": []}
    for clip_id in reader.clip_ids:
        split[reader.record(clip_id).split].append(clip_id)
    for name, ids in split.items():
        if not ids:
            raise CorpusError(f"AFEW's split {name!r} has no usable clip in {shards}; see set_aside.csv there")
    return split
