"""Rivals as their authors ran them: which rows, with what, and which trainings count as reproductions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nrdfer.config.profile import AUTHORS_PIXELS, Profile
from nrdfer.config.recipe import RECIPES
from nrdfer.core.errors import ProfileError
from nrdfer.corpora.registry import find_corpus
from nrdfer.experiments.authors import is_reproduction, origin_of
from nrdfer.experiments.catalogue import TABLES, Experiment
from nrdfer.experiments.profiles import profile_of
from nrdfer.models.registry import resolve_settings
from nrdfer.training.request import network_settings

ALIKE = Profile.read(
    {
        "name": "own",
        "description": "",
        "dfew_recipe": {"name": "dfew-paper", "seed": 3},
        "afew_recipe": {"name": "afew-paper"},
        "experiments": {"recipes": {"c3d": {"lr": 0.5}}},
    },
    "profile own",
)
AS_AUTHORS = ALIKE.changed(
    experiments={"rivals": "authors", "recipes": {"c3d": {"lr": 0.5}}}, shards={"image_size": AUTHORS_PIXELS}
)
EXPERIMENTS = {e.name: e for table in TABLES.values() for e in table.experiments}


def _described(profile: Profile, corpus: str) -> dict[str, Any]:
    """A training's model.json, as its evaluation has it."""
    settings = network_settings(profile, find_corpus(corpus))
    values = {"model": profile.model, "settings": settings, "recipe": profile.recipe_for(corpus).to_dict()}
    read: dict[str, Any] = json.loads(json.dumps(values))
    return read


def _marked(profile: Profile, name: str, corpus: str = "dfew") -> bool:
    experiment = EXPERIMENTS[name]
    return is_reproduction(experiment, corpus, _described(profile_of(profile, experiment), corpus))


@pytest.mark.parametrize(
    ("name", "model", "recipe"),
    [
        ("c3d-ti", "c3d", "dfew-authors"),
        ("p3d-ti", "p3d", "dfew-authors"),
        ("r2plus1d-18-ti", "r2plus1d-18-torchvision", "dfew-authors"),
        ("r3d-18-ti", "r3d-18-torchvision", "dfew-authors"),
        ("i3d-rgb-ti", "i3d-rgb", "dfew-authors"),
        ("resnet18-lstm-ti", "reslstm", "dfew-authors"),
        ("former-dfer-ds", "former-dfer", "former-dfer"),
    ],
)
def test_a_profile_can_train_rivals_as_their_authors_did(name: str, model: str, recipe: str) -> None:
    found = profile_of(AS_AUTHORS, EXPERIMENTS[name])
    used = found.recipe_for("dfew")
    assert (found.model, used.name, used.lr, used.seed) == (model, recipe, RECIPES[recipe].lr, 3)
    assert used.sampling.strategy == name.rsplit("-", 1)[1]
    assert _marked(AS_AUTHORS, name)
    assert not _marked(ALIKE, name)


def test_rows_without_a_source_stay_as_they_are() -> None:
    for name in ("vgg11-lstm-ti", "ec-stfl-ti", "r3d-18-ds", "c3d-ds"):
        experiment: Experiment = EXPERIMENTS[name]
        assert origin_of(experiment) is None
        assert profile_of(AS_AUTHORS, experiment).recipe_for("dfew") == profile_of(ALIKE, experiment).recipe_for("dfew")
        assert not _marked(AS_AUTHORS, name)


def test_former_dfer_on_afew() -> None:
    assert profile_of(AS_AUTHORS, EXPERIMENTS["former-dfer-ds"]).recipe_for("afew").epochs == 20
    assert _marked(AS_AUTHORS, "former-dfer-ds", "afew")


def test_our_rows_reproduce_with_the_papers_network_and_recipe_only() -> None:
    assert _marked(ALIKE, "m3-n6") and _marked(ALIKE, "nr-dfernet-ds-oversampled")
    assert _marked(ALIKE, "nr-dfernet-ds", "afew")
    for changed in (
        {"model_settings": {"position_std": 0.02}},
        {"model_preset": "sample"},
        {"dfew_recipe": {"name": "dfew-paper", "epochs": 71}},
        {"dfew_recipe": {"name": "dfew-author-code"}},
    ):
        assert not _marked(ALIKE.changed(**changed), "m3-n6")


def test_shards_must_hold_the_frames_that_the_authors_used() -> None:
    sizes = [
        resolve_settings(origin.model, {}, origin.preset).image_size
        for experiment in EXPERIMENTS.values()
        if (origin := origin_of(experiment)) is not None
    ]
    assert max(sizes) == AUTHORS_PIXELS
    with pytest.raises(ProfileError, match=r"needs frames of 224 px.*shards have 112; set shards"):
        ALIKE.changed(experiments={"rivals": "authors"})
    with pytest.raises(ProfileError, match="rivals must be alike or authors, not 'own'"):
        ALIKE.changed(experiments={"rivals": "own"})


def test_each_seed_of_a_rival_is_another_training() -> None:
    seeds = [
        profile_of(profile, EXPERIMENTS["c3d-ti"], seed).recipe_for("dfew").seed
        for profile in (ALIKE, AS_AUTHORS)
        for seed in range(3)
    ]
    assert seeds == [3, 4, 5] * 2
