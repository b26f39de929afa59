"""From a profile and an experiment to the profile that trains it: the same data and engine, another network or recipe.

Which experiments there are belongs to ``catalogue``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.config.profile import Profile, build_settings, merge
from nrdfer.experiments.catalogue import OURS, Experiment


@dataclass(frozen=True)
class ExperimentSettings:
    """What a profile says about networks other than its own."""

    rival_preset: str | None = None  # None: the profile's model_preset
    settings: Mapping[str, Any] = field(default_factory=dict)  # network -> its settings, laid over the preset
    recipes: Mapping[str, Any] = field(default_factory=dict)  # network -> fields of the recipe, for both corpora


def settings_of(profile: Profile) -> ExperimentSettings:
    """The profile's settings of experiments.

    Raises:
        ProfileError: an unknown field or a value of another type.
    """
    return build_settings(ExperimentSettings, profile.experiments, f"profile {profile.name}: experiments")


def profile_of(profile: Profile, experiment: Experiment) -> Profile:
    """The profile that trains an experiment; data, weights and engine stay the given profile's.

    For NR-DFERNet, the experiment is laid over the profile's own network settings; a rival has its preset.

    Raises:
        ProfileError: see `settings_of`.
    """
    given = settings_of(profile)
    ours = experiment.model == OURS
    own = profile.model_settings if ours and profile.model == OURS else {}
    preset = profile.model_preset if ours else given.rival_preset or profile.model_preset
    recipe = merge(experiment.recipe, given.recipes.get(experiment.model, {}))
    return dataclasses.replace(
        profile,
        model=experiment.model,
        model_preset=preset,
        model_settings=merge(merge(own, given.settings.get(experiment.model, {})), experiment.settings),
        dfew_recipe=merge(profile.dfew_recipe, recipe),
        afew_recipe=merge(profile.afew_recipe, recipe),
    )
