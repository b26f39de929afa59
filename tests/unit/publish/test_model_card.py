"""Whose data a card says that a corpus is: nobody's face is called rendered because the profile renders others."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.config.profile import Profile, load_profile
from nrdfer.config.resolve import shipped_profiles
from nrdfer.corpora.own_corpus import Definition, OwnCorpus
from nrdfer.corpora.ravdess import RAVDESS
from nrdfer.publish.model_card import DISTRIBUTED, OWN, RENDERED
from nrdfer.publish.register_model import data_of


@pytest.fixture
def profile() -> Profile:
    return load_profile(shipped_profiles() / "sample.yaml")  # it renders what it is given no folder of


def test_a_corpus_is_rendered_only_where_no_folder_was_given(profile: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_of(profile, RAVDESS) == RENDERED
    monkeypatch.setenv(RAVDESS.variable, "/data/RAVDESS")
    assert data_of(profile, RAVDESS) == DISTRIBUTED


def test_a_users_own_clips_are_the_users(profile: Profile) -> None:
    own = OwnCorpus(Definition("studio", "/clips", videos=True, emotions=("joy", "neutral"), folds=1), Path())
    assert data_of(profile, own) == OWN
