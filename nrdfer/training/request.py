"""Request for one training run: the network, the recipe, the clips, the engine, and the output folders.

The same object is passed from the command line or an asset to the loop, and as JSON to the processes that share a
training. Which of its fields determine the weights belongs to ``key``; progress reports to ``callbacks``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from nrdfer.config.profile import Profile
from nrdfer.config.recipe import Recipe
from nrdfer.config.settings import build_settings
from nrdfer.core.errors import ProfileError
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import find_corpus, recipe_of
from nrdfer.data.settings import DataSettings
from nrdfer.runtime.engine import Engine
from nrdfer.shards.split import Split


@dataclass(frozen=True)
class TrainingRequest:
    """One training.

    `nrdfer.training.loop.train` reads `shards` unless it is given clips in memory. The order of the clips does not
    matter; the test clips determine only which epoch is the best.
    """

    model: str  # name in `nrdfer.models.registry`
    model_settings: Mapping[str, Any]
    recipe: Recipe
    engine: Engine
    shards: Path
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]
    workdir: Path  # checkpoints, the log and the history so far, which survive a crash
    out: Path  # receives the files of `nrdfer.models.trained_files`
    initial_weights: Path | None = None  # safetensors of the same network to start from
    data: DataSettings = field(default_factory=DataSettings)  # how the shards are read
    code: Mapping[str, str] = field(default_factory=dict)  # of a network of another package or a user's file

    def to_json(self) -> str:
        """All of it as JSON, for another process of the same version."""
        return json.dumps(dataclasses.asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str, where: str) -> Self:
        """Rebuild a request from the output of `to_json`; `where` it was read is named in errors.

        Raises:
            ProfileError: the recipe or the engine is not one of this version.
        """
        values: dict[str, Any] = json.loads(text)
        for name in ("shards", "workdir", "out"):
            values[name] = Path(values[name])
        values["initial_weights"] = Path(values["initial_weights"]) if values["initial_weights"] else None
        values["recipe"] = build_settings(Recipe, values["recipe"], f"recipe in {where}")
        values["engine"] = build_settings(Engine, values["engine"], f"engine in {where}")
        values["data"] = build_settings(DataSettings, values["data"], f"data in {where}")
        for name in ("train_ids", "test_ids"):
            values[name] = tuple(values[name])
        return cls(**values)


def request_of(
    profile: Profile, split: Split, workdir: Path, out: Path, *, initial_weights: Path | None = None
) -> TrainingRequest:
    """The training of a profile's network on a split.

    Args:
        profile: names the network, its settings, the recipe of the split's corpus, and the engine.
        split: its clips, and the shards that hold them.
        workdir: folder of the checkpoints and the log, which survive a crash.
        out: receives the weights, the history and the description.
        initial_weights: weights to start from (`nrdfer.corpora.base.Corpus.initial`).

    Raises:
        ProfileError: unknown network or setting of it, or no recipe for the corpus.
        PluginError: the network of another package, or of a file, cannot be loaded.
    """
    name, code = network_identity(profile.model)
    return TrainingRequest(
        name,
        network_settings(profile, find_corpus(split.corpus)),
        recipe_of(profile, split.corpus),
        profile.engine,
        split.shards,
        split.train_ids,
        split.test_ids,
        workdir,
        out,
        initial_weights,
        profile.data,
        code,
    )


def network_identity(model: str) -> tuple[str, Mapping[str, str]]:
    """Name of a network that a user names, and the record of its code: empty for one of this project's.

    Raises:
        ProfileError: there is none.
        PluginError: the network of another package, or of a file, cannot be loaded.
    """
    from nrdfer.models.registry import find_model

    entry = find_model(model)
    return entry.name or model, entry.code


def network_settings(profile: Profile, corpus: Corpus) -> dict[str, Any]:
    """Every setting of the profile's network for a corpus, as they are stored, defaults included.

    Raises:
        ProfileError: unknown network, preset or setting, or another label set than the corpus's.
    """
    from nrdfer.models.registry import resolve_settings

    asked = profile.model_settings.get("emotions", corpus.emotions)
    if not isinstance(asked, Sequence) or tuple(asked) != corpus.emotions:
        raise ProfileError(
            f"profile {profile.name}: model_settings: emotions differ from the label set of {corpus.title}, which is "
            f"{', '.join(corpus.emotions)}; leave emotions out"
        )
    given = {**profile.model_settings, "emotions": corpus.emotions}
    return resolve_settings(profile.model, given, profile.model_preset).to_dict()
