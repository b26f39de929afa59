"""Results of experiments in the store, found by content: nothing is run, and it does not matter who ran it.

An experiment's training is named by everything it depends on (``nrdfer.training.step_keys``); so one that the main job
did counts for every table that needs it, and one of other settings or other data never does.
"""

from __future__ import annotations

import functools

from nrdfer.config.profile import Profile
from nrdfer.core.errors import StoreError
from nrdfer.corpora.registry import corpus_of, initial_of
from nrdfer.experiments.catalogue import Experiment
from nrdfer.experiments.profiles import profile_of
from nrdfer.preprocessing.folds import find_split
from nrdfer.shards.split import Split
from nrdfer.store import Artifact, Store
from nrdfer.store.pointers import last_made
from nrdfer.training.step_keys import Step, evaluation_step, training_step


class Results:
    """Training runs and evaluations of experiments under one profile.

    Args:
        profile: whose data, and over whose settings experiments are laid.
        store: of the artefacts.
    """

    def __init__(self, profile: Profile, store: Store) -> None:
        self._profile, self._store = profile, store
        self.seeds = profile.seeds  # trainings of each experiment on each split
        self.from_scratch = frozenset(profile.initial)  # corpora whose trainings do not start as the paper's do
        self.split = functools.cache(self._split)
        self.shards = functools.cache(self._shards)
        self._profiles: dict[tuple[object, ...], Profile] = {}

    def training(self, experiment: Experiment, split: str, seed: int = 0) -> Step:
        """Key of an experiment's training run; `seed` counts the profile's `seeds` from 0 on.

        Raises:
            StoreError: the profile's shards or folds have not been made.
            ProfileError: the experiment's settings are not valid.
        """
        before = initial_of(self._profile, corpus_of(split))
        initial = self.training(experiment, before, seed).digest(self._store) if before is not None else None
        found = self.split(split)
        profile = self._profile_of(experiment, seed)
        return training_step(profile, found, self.shards(found.corpus).digest, initial)

    def evaluation(self, experiment: Experiment, split: str, seed: int = 0) -> Artifact | None:
        """The evaluation of an experiment on a split, if it is in the store.

        Raises:
            ProfileError: the experiment's settings are not valid.
        """
        try:
            checkpoint = self.training(experiment, split, seed).digest(self._store)
            found = self.split(split)
            step = evaluation_step(found, self.shards(found.corpus).digest, checkpoint)
        except StoreError:
            return None  # without data there are no results either
        digest = step.digest(self._store)
        return self._store.open(step.asset, digest) if self._store.is_published(step.asset, digest) else None

    def _profile_of(self, experiment: Experiment, seed: int) -> Profile:
        """The experiment's profile, made once for all splits, tables and comparisons: checking it takes long."""
        given = (experiment.name, experiment.model, repr(experiment.settings), repr(experiment.recipe), seed)
        if given not in self._profiles:
            self._profiles[given] = profile_of(self._profile, experiment, seed)
        return self._profiles[given]

    def _split(self, name: str) -> Split:
        return find_split(self._profile, name)

    def _shards(self, corpus: str) -> Artifact:
        return last_made(self._profile, f"{corpus}/shards", "a profile whose data has been made")
