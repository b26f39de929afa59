"""Store keys of training and evaluation: the same digest for every caller.

The graph's folds, the experiments of the paper's tables and the report all use these keys, so a training that two of
them need is done once, and what is in the store is found without running anything. The work itself belongs to ``loop``
and ``nrdfer.evaluation.checkpoints``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.corpora.registry import find_corpus
from nrdfer.shards.split import Split
from nrdfer.store import Store, digest_of
from nrdfer.training.key import key_of_profile

_TRAINING, _EVALUATION = "3", "2"  # code versions: raised when the meaning of a step changes


@dataclass(frozen=True)
class Step:
    """All inputs of an artefact's digest."""

    asset: str
    code_version: str
    config: Mapping[str, Any]
    inputs: Mapping[str, str]

    def digest(self, store: Store) -> str:
        """The artefact's name in the store."""
        return store.digest(self.asset, self.code_version, self.config, self.inputs)


def training_step(profile: Profile, split: Split, shards: str, initial: str | None = None) -> Step:
    """A training.

    Args:
        profile: its network, recipe and engine.
        split: its clips.
        shards: digest of the shards that hold them.
        initial: digest of the checkpoint it starts from; None: from scratch.

    Raises:
        ProfileError: unknown network, preset, recipe or setting.
    """
    key = key_of_profile(profile, split, shards, initial)
    return Step(find_corpus(split.corpus).asset("checkpoint", split.name), _TRAINING, key.config(), key.inputs())


def evaluation_step(split: Split, shards: str, checkpoint: str) -> Step:
    """The evaluation of a checkpoint, given the digests of the shards and of the checkpoint."""
    return Step(
        find_corpus(split.corpus).asset("evaluation", split.name),
        _EVALUATION,
        {},
        {"checkpoint": checkpoint, "shards": shards, "clips": _clips(split.test_ids)},
    )


def _clips(clip_ids: Sequence[str]) -> str:
    return digest_of(sorted(clip_ids))
