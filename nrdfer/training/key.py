"""Identity of a training run: two runs of one key, on clips of the same content, end with the same weights.

The key is written in three forms, none of which may change, or finished trainings would no longer be found: the
configuration and inputs of an artefact in the store (``step_keys``), the settings of a user's folder and of an MLflow
run (``run_folder``), and the identity in a checkpoint, so that only the same training continues it (``checkpoint``).
Differences between two of them are described here, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.config.settings import flatten
from nrdfer.corpora.registry import find_corpus, recipe_of
from nrdfer.shards.split import Split
from nrdfer.store import digest_of, file_sha256
from nrdfer.training.request import TrainingRequest, network_identity, network_settings

CheckpointIdentity = dict[str, Any]  # the form of a key in a checkpoint
FROM_SCRATCH = "none"  # an artefact's initial weights, if there are none
_MAX_LISTED = 6  # differences in a message


@dataclass(frozen=True)
class TrainingKey:
    """Settings and inputs that determine the bytes of a training's weights, as plain values, in any order of clips."""

    model: str
    model_settings: Mapping[str, Any]  # all of them, defaults included
    recipe: Mapping[str, Any]  # `Recipe.to_dict`
    engine: Mapping[str, Any]  # `Engine.numerics`
    train_ids: tuple[str, ...]
    test_ids: tuple[str, ...]
    shards: str = ""  # digest of the shards; empty if only a checkpoint's identity is needed
    initial: str | None = None  # sha256 of the initial weights, or digest of their artefact
    data: Mapping[str, Any] = field(default_factory=dict)  # `DataSettings.order`; empty unless streamed
    code: Mapping[str, str] = field(default_factory=dict)  # of a network that is not this project's

    def config(self) -> dict[str, Any]:
        """The settings, as an artefact's configuration."""
        return {
            "model": self.model,
            "model_settings": self.model_settings,
            "recipe": self.recipe,
            "engine": self.engine,
            **self._rarer(),
        }

    def _rarer(self) -> dict[str, Any]:
        """Only of a stream, and of a network of other code: keys of all others know nothing of either."""
        return {name: value for name, value in (("data", self.data), ("code", dict(self.code))) if value}

    def clips_digest(self) -> str:
        """Digest of both lists of clips."""
        return digest_of([sorted(self.train_ids), sorted(self.test_ids)])

    def inputs(self) -> dict[str, str]:
        """Digests of all inputs, as an artefact's inputs."""
        return {"shards": self.shards, "clips": self.clips_digest(), "initial": self.initial or FROM_SCRATCH}

    def settings(self) -> dict[str, Any]:
        """All of it, as a user's folder and an MLflow run show it."""
        return {**self.config(), **self.inputs(), "initial": self.initial or "from scratch"}

    def checkpoint_identity(self) -> CheckpointIdentity:
        """Identity stored in a checkpoint: settings in full, lists of clips and weights as short digests, no shards."""
        identity = {
            "network": {"name": self.model, **self.model_settings},
            "recipe": {name: value for name, value in self.recipe.items() if name != "name"},
            "engine": self.engine,
            **self._rarer(),
            "clips to learn from": _short_digest(self.train_ids),
            "clips to test on": _short_digest(self.test_ids),
            "initial weights": "none" if self.initial is None else self.initial[:16],
        }
        plain: CheckpointIdentity = json.loads(
            json.dumps(identity, sort_keys=True)
        )  # tuples become lists, as in a file
        return plain


def key_of(request: TrainingRequest, shards: str = "") -> TrainingKey:
    """Key of a requested training run, given the digest of its shards; initial weights are read."""
    initial = request.initial_weights
    return TrainingKey(
        request.model,
        request.model_settings,
        request.recipe.to_dict(),
        request.engine.numerics(),
        request.train_ids,
        request.test_ids,
        shards,
        None if initial is None else file_sha256(initial),
        request.data.order(),
        request.code,
    )


def key_of_profile(profile: Profile, split: Split, shards: str, initial: str | None = None) -> TrainingKey:
    """The key of a profile's training on a split; no file needs to exist.

    Args:
        profile: its network, recipe and engine.
        split: its clips.
        shards: digest of the shards that hold them.
        initial: digest of the checkpoint it starts from.

    Raises:
        ProfileError: unknown network, preset or setting of it.
        PluginError: the network of another package, or of a file, cannot be loaded.
    """
    name, code = network_identity(profile.model)
    return TrainingKey(
        name,
        network_settings(profile, find_corpus(split.corpus)),
        recipe_of(profile, split.corpus).to_dict(),
        profile.engine.numerics(),
        split.train_ids,
        split.test_ids,
        shards,
        initial,
        profile.data.order(),
        code,
    )


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Differences between two keys in one form, as text: ``recipe.lr is 0.05 there, 0.04 here``."""
    flat_there, flat_here = flatten(there), flatten(here)
    return [
        f"{name} is {flat_there.get(name, 'not set')} there, {flat_here.get(name, 'not set')} here"
        for name in dict.fromkeys([*flat_here, *flat_there])
        if flat_there.get(name, "not set") != flat_here.get(name, "not set")
    ]


def listed(found: Sequence[str]) -> str:
    """Differences for a message: the first few, and the number of the others."""
    more = f"; and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
    return "; ".join(found[:_MAX_LISTED]) + more


def _short_digest(clip_ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(clip_ids)).encode()).hexdigest()[:16]
