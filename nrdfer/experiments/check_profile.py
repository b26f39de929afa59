"""Validation of a profile beyond its own fields: its network, its devices, and whether both fit the recipes."""

from __future__ import annotations

from nrdfer.config.profile import Profile
from nrdfer.core.coerce import brief
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line
from nrdfer.corpora.base import Corpus
from nrdfer.corpora.registry import recipe_of, trained_corpora
from nrdfer.training.request import network_settings


def check_profile(profile: Profile, asked: str = "") -> None:
    """Build the network of a profile, without computing, and compare the frames it takes with those sampled.

    Args:
        profile: with a recipe for each corpus of the paper.
        asked: name of a further corpus that is to be used.

    Raises:
        ProfileError: an unknown network, preset or setting, or settings that do not fit together.
        PluginError: a network of another package or a user's file cannot be loaded, or does not answer with logits.
    """
    check_devices(profile)
    check_networks(profile, asked)


def check_initial(profile: Profile) -> None:
    """Check that `initial` names corpora whose trainings start from another corpus's.

    Raises:
        ProfileError: a name is none of them.
    """
    known = [corpus.name for corpus in trained_corpora() if corpus.initial is not None]
    for name in profile.initial:
        if name not in known:
            raise ProfileError(
                f"profile {profile.name}: initial names {brief(name)}; it can name {' or '.join(known)}, whose "
                "trainings start from another corpus's network"
            )


def check_devices(profile: Profile) -> None:
    """Check that PyTorch finds the devices of a profile.

    Raises:
        ProfileError: it does not.
    """
    from nrdfer.runtime.devices import pick_device

    pick_device(profile.device)
    pick_device(profile.engine.device)


def check_networks(profile: Profile, asked: str = "") -> None:
    """As `check_profile`, without the devices."""
    check_initial(profile)
    for corpus in trained_corpora():
        setting = f"{corpus.name}_recipe"
        if not hasattr(profile, setting):
            if corpus.name != asked:
                continue
            setting = f"recipes: {corpus.name}"
        frames = _frames(profile, corpus)
        sampling = recipe_of(profile, corpus.name).sampling
        if sampling.frames != frames:
            raise ProfileError(
                f"profile {profile.name}: {setting} samples {sampling.segments} x {sampling.duration} = "
                f"{sampling.frames} frames, but {profile.model} takes {frames}; change segments and duration, or frames"
            )


def _frames(profile: Profile, corpus: Corpus) -> int:
    """Frames that the network takes, which is built for the corpus's label set."""
    import torch

    from nrdfer.models.check_network import check_network
    from nrdfer.models.registry import MODELS, build_model

    values = network_settings(profile, corpus)
    if profile.model in MODELS:
        with torch.device("meta"):  # laid out, not computed: some choices only the network's parts know
            return build_model(profile.model, values, profile.model_preset).settings.frames
    network = build_model(profile.model, values, profile.model_preset)
    check_network(network, f"network {one_line(profile.model)}")
    return network.settings.frames
