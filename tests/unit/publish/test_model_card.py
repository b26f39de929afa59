"""Whose data a card says that a corpus is: nobody's face is called rendered because the profile renders others."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.config.profile import Profile, load_profile
from nrdfer.config.resolve import shipped_profiles
from nrdfer.corpora.own_corpus import Definition, OwnCorpus
from nrdfer.corpora.ravdess import RAVDESS
from nrdfer.publish.model_card import DISTRIBUTED, OWN, RENDERED, CardFacts, write_card
from nrdfer.publish.register_model import data_of


@pytest.fixture
def profile() -> Profile:
    return load_profile(shipped_profiles() / "sample.yaml")  # it renders what it is given no folder of


def test_a_corpus_is_rendered_only_where_no_folder_was_given(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_of(profile, RAVDESS) == RENDERED
    monkeypatch.setenv(RAVDESS.variable, "/data/RAVDESS")
    assert data_of(profile, RAVDESS) == DISTRIBUTED


def test_a_card_names_the_frames_of_its_own_network() -> None:
    metrics = {"war": 0.5, "uar": 0.5, "war_unfiltered": 0.5, "uar_unfiltered": 0.5, "clips": 7, "recalls": {"joy": 1}}
    facts = CardFacts(
        "C3D", "c3d-dfew", "fd1", "dfew", "own", RENDERED, 8, {"train": 1, "test": 1}, "random weights", {}, {},
        {"honest": metrics, "paper": metrics}, {"honest": 1, "paper": 1},
    )  # fmt: skip
    card = write_card(facts)
    assert "8 frames of one face in" in card and "(B, 8, 3, 112, 112)" in card and "16" not in card


def test_a_users_own_clips_are_the_users(profile: Profile) -> None:
    own = OwnCorpus(Definition("studio", "/clips", videos=True, emotions=("joy", "neutral"), folds=1), Path())
    assert data_of(profile, own) == OWN
