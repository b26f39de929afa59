"""Profiles of experiments: the data and engine of a given profile with another network or recipe.

Which experiments there are belongs to ``catalogue``.
"""

from __future__ import annotations

from nrdfer.config.profile import AUTHORS, Profile
from nrdfer.config.settings import merge
from nrdfer.corpora.registry import recipe_of, trained_corpora
from nrdfer.experiments.authors import Origin, origin_of
from nrdfer.experiments.catalogue import OURS, Experiment


def profile_of(profile: Profile, experiment: Experiment, seed: int = 0) -> Profile:
    """The profile that trains an experiment; data, weights and engine stay the given profile's.

    For NR-DFERNet, the experiment is laid over the profile's own network settings; a rival has its preset, or, if the
    profile says so, network and recipe of its authors, over which nothing of the profile is laid.

    Args:
        profile: as it is read.
        experiment: what is laid over it.
        seed: which of the profile's `seeds` trainings; it is added to each recipe's own seed, so the first is the
            recipe as it is.

    Raises:
        ProfileError: the experiment does not fit the profile.
    """
    given = profile.experiments
    origin = origin_of(experiment)
    if given.rivals == AUTHORS and origin is not None and experiment.model != OURS:
        return _as_its_authors(profile, experiment, origin, seed)
    ours = experiment.model == OURS
    own = profile.model_settings if ours and profile.model == OURS else {}
    preset = profile.model_preset if ours else given.rival_preset or profile.model_preset
    recipe = merge(experiment.recipe, given.recipes.get(experiment.model, {}))
    changed = profile.changed(
        model=experiment.model,
        model_preset=preset,
        model_settings=merge(merge(own, given.settings.get(experiment.model, {})), experiment.settings),
    )
    for corpus in trained_corpora():
        changed = changed.change_recipe(corpus.name, recipe, default=corpus.recipe)
        if seed:
            own_seed = recipe_of(changed, corpus.name).seed
            changed = changed.change_recipe(corpus.name, {"seed": own_seed + seed}, default=corpus.recipe)
    return changed


def _as_its_authors(profile: Profile, experiment: Experiment, origin: Origin, seed: int) -> Profile:
    changed = profile.changed(model=origin.model, model_preset=origin.preset, model_settings=dict(experiment.settings))
    for corpus, name in origin.recipes.items():
        recipe = {**experiment.recipe, "name": name, "seed": profile.recipe_for(corpus).seed + seed}
        changed = changed.change_recipe(corpus, recipe, anew=True)
    return changed
