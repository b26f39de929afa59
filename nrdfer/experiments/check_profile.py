"""Validation of a profile beyond its own fields: its network, its devices, and whether both fit the recipes."""

from __future__ import annotations

from nrdfer.config.profile import Profile
from nrdfer.core.errors import ProfileError
from nrdfer.corpora.registry import recipe_of, trained_corpora
from nrdfer.training.request import network_settings


def check_profile(profile: Profile, asked: str = "") -> None:
    """Build the network of a profile, without computing, and compare the frames it takes with those sampled.

    Args:
        profile: with a recipe for each corpus of the paper.
        asked: name of a further corpus that is to be used.

    Raises:
        ProfileError: an unknown network, preset or setting, or settings that do not fit together.
    """
    import torch

    from nrdfer.models.registry import build_model
    from nrdfer.runtime.devices import pick_device

    pick_device(profile.device)
    pick_device(profile.engine.device)
    for corpus in trained_corpora():
        setting = f"{corpus.name}_recipe"
        if not hasattr(profile, setting):
            if corpus.name != asked:
                continue
            setting = f"recipes: {corpus.name}"
        with torch.device("meta"):  # laid out, not computed: some choices only the network's parts know
            frames = build_model(profile.model, network_settings(profile, corpus)).settings.frames
        sampling = recipe_of(profile, corpus.name).sampling
        if sampling.frames != frames:
            raise ProfileError(
                f"profile {profile.name}: {setting} samples {sampling.segments} x {sampling.duration} = "
                f"{sampling.frames} frames, but {profile.model} takes {frames}; change segments and duration, or frames"
            )
