"""Validation of the whole profile before the first step: every part checks its own settings."""

from __future__ import annotations

from nrdfer.config.profile import Profile, build_settings
from nrdfer.core.errors import ProfileError
from nrdfer.training.request import engine_of, network_settings, recipe_of


def check_profile(profile: Profile) -> None:
    """Read every setting of a profile as its stage will.

    Raises:
        ProfileError: an unknown network, preset or setting, or settings that do not fit together.
    """
    import torch

    from nrdfer.corpora.synthetic.render import CorpusSettings
    from nrdfer.models.registry import build_model
    from nrdfer.preprocessing.enhance import check_mode
    from nrdfer.preprocessing.settings import align_settings
    from nrdfer.runtime.devices import pick_device

    where = f"profile {profile.name}"
    build_settings(CorpusSettings, profile.corpora.render, f"{where}: corpora.render")
    align_settings(profile)
    check_mode(profile.enhance, where)
    pick_device(profile.device)
    pick_device(engine_of(profile).device)
    if profile.chunk_clips < 1 or profile.workers < 1:
        raise ProfileError(f"{where}: chunk_clips and workers count from 1 on")
    with torch.device("meta"):  # laid out, not computed: some choices only the network's parts know
        frames = build_model(profile.model, network_settings(profile)).settings.frames
    for corpus in ("dfew", "afew"):
        sampling = recipe_of(profile, corpus).sampling
        if sampling.frames != frames:
            raise ProfileError(
                f"{where}: {corpus}_recipe samples {sampling.segments} x {sampling.duration} = "
                f"{sampling.frames} frames, but {profile.model} takes {frames}; change segments and duration, or frames"
            )
