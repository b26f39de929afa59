"""A profile with its defaults written out, for people who compare two reproductions.

Digests are taken of what was written (`nrdfer.config.profile`), so that they outlive new defaults; what is shown has
every value. Keep out: where it is shown (MLflow's parameters, the report).
"""

from __future__ import annotations

import dataclasses
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.corpora.afew import AFEW
from nrdfer.corpora.dfew import DFEW
from nrdfer.corpora.registry import find_corpus, recipe_of
from nrdfer.training.request import network_settings


def resolved_settings(profile: Profile, *, network: bool = False) -> dict[str, Any]:
    """`Profile.to_dict` with every value of recipes and engine; of the network too if asked, which imports torch.

    Raises:
        ProfileError: unknown network, preset or setting of it.
    """
    written = profile.to_dict()
    resolved = {
        **written,
        **{f"{corpus.name}_recipe": recipe_of(profile, corpus.name).to_dict() for corpus in (DFEW, AFEW)},
        "engine": dataclasses.asdict(profile.engine),
    }
    if "recipes" in written:
        further = {name: recipe_of(profile, find_corpus(name).name).to_dict() for name in written["recipes"]}
        resolved["recipes"] = further
    if network:
        resolved["model_settings"] = network_settings(profile, DFEW)
    return resolved
