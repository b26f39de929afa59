from __future__ import annotations

from pathlib import Path

import pytest

from nrdfer.config import Profile, ShardsConfig, build_settings, load_profile, merge
from nrdfer.errors import ProfileError
from pipelines.resources import PROFILES


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_shipped_profiles_load(name: str) -> None:
    profile = load_profile(PROFILES / f"{name}.yaml")
    assert profile.name == name
    assert profile.description


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_every_stage_understands_its_part_of_a_shipped_profile(name: str) -> None:
    from nrdfer.corpora.synthetic.render import CorpusSettings
    from nrdfer.preprocess import AlignSettings
    from nrdfer.stages.train import network_settings, recipe_of

    profile = load_profile(PROFILES / f"{name}.yaml")
    build_settings(CorpusSettings, profile.corpora.render, "render")
    build_settings(AlignSettings, profile.align, "align")
    assert network_settings(profile)["classes"] == 7
    assert recipe_of(profile, "dfew").epochs > 0
    assert recipe_of(profile, "afew").epochs > 0


def test_a_missing_profile_names_those_that_exist() -> None:
    with pytest.raises(ProfileError, match=r"no profile 'sampel'.*paper, sample"):
        load_profile(PROFILES / "sampel.yaml")


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ProfileError, match=r"shards: unknown setting clip_per_shard"):
        load_profile(PROFILES / "sample.yaml", {"shards": {"clip_per_shard": 3}})


def test_a_profile_that_is_not_yaml(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("a: [1")
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(tmp_path / "x.yaml")


def test_overrides_are_laid_over_field_by_field() -> None:
    profile = load_profile(PROFILES / "sample.yaml", {"shards": {"jpeg_quality": 80}})
    assert profile.shards == ShardsConfig(jpeg_quality=80)
    assert profile.corpora.rendered


def test_merge_keeps_what_is_not_overridden() -> None:
    assert merge({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}}) == {"a": {"b": 1, "c": 4}, "d": 3}


def test_lists_become_tuples() -> None:
    profile = build_settings(Profile, {"name": "x", "description": "y", "workers": 3}, "test")
    assert profile.workers == 3
