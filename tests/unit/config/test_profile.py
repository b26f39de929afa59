from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.profile import ShardsConfig, _hint_at_spelling, load_profile
from nrdfer.config.recipe import RECIPES
from nrdfer.core.errors import ProfileError
from nrdfer.corpora.dfew import DFEW
from nrdfer.store.pointers import config_digest
from pipelines.resources import PROFILES


@pytest.mark.parametrize("name", sorted(path.stem for path in PROFILES.glob("*.yaml")))
def test_shipped_profiles_load(name: str) -> None:
    profile = load_profile(PROFILES / f"{name}.yaml")
    assert profile.name == name
    assert profile.description


@pytest.mark.parametrize("name", ["sample", "paper"])
def test_every_stage_understands_its_part_of_a_shipped_profile(name: str) -> None:
    from nrdfer.training.request import network_settings

    profile = load_profile(PROFILES / f"{name}.yaml")
    assert network_settings(profile, DFEW)["classes"] == 7
    assert profile.recipe_for("dfew").epochs > 0
    assert profile.recipe_for("afew").epochs > 0


def test_a_missing_profile_names_those_that_exist() -> None:
    with pytest.raises(ProfileError, match=r"no profile 'sampel'.*cremad, .*, paper, paper-fast, quick, .*, sample"):
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


FURTHER = {"recipes": {"ck": {"name": "sample", "epochs": 3}}, "corpora": {"roots": {"ck": "/data/ck"}}}


def test_a_further_corpus_has_a_recipe_and_a_folder_by_its_name() -> None:
    profile = load_profile(PROFILES / "sample.yaml", FURTHER)
    assert (profile.recipe_for("ck").name, profile.recipe_for("ck").epochs) == ("sample", 3)
    assert profile.recipe_for("afew") == RECIPES["sample-afew"]
    assert (profile.corpora.root_of("ck"), profile.corpora.root_of("dfew")) == ("/data/ck", None)
    assert profile.change_recipe("ck", {"lr": 0.5}).recipe_for("ck") == dataclasses.replace(
        profile.recipe_for("ck"), lr=0.5
    )
    assert profile.change_recipe("ck", {"name": "afew-paper"}, anew=True).recipe_for("ck") == RECIPES["afew-paper"]
    assert profile.to_dict()["recipes"] == FURTHER["recipes"]
    assert profile.to_dict()["corpora"]["roots"] == {"ck": "/data/ck"}


def test_a_corpus_without_a_recipe_is_refused_with_what_to_write() -> None:
    with pytest.raises(ProfileError, match=r"no recipe for the corpus 'ck', only for dfew, afew; add recipes: \{ck: "):
        load_profile(PROFILES / "sample.yaml").recipe_for("ck")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"recipes": {"dfew": {}}}, "recipes: dfew has a setting of its own, dfew_recipe"),
        ({"corpora": {"roots": {"afew": "/x"}}}, "corpora: roots: afew has a setting of its own, afew_root"),
        ({"recipes": {"ck": {"epochs": 0}}}, r"recipes\.ck: epochs must be at least 1"),
        ({"experiments": {"recipes": {"c3d": {"l": 1}}}}, r"experiments\.recipes\.c3d: unknown setting l; known are"),
        ({"noise": {"recipe": {"name": "x"}}}, r"noise\.recipe: there is no recipe 'x'; recipes are dfew-paper"),
        ({"enhance": "bright"}, "enhance is 'bright'; it must be one of none, crop, frame"),
        ({"workers": 0}, "workers counts from 1 on, but is 0"),
        ({"written": {}}, "unknown setting written"),
    ],
)
def test_every_part_is_checked_when_a_profile_is_read(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        load_profile(PROFILES / "sample.yaml", overrides)


def test_a_setting_that_is_refused_is_shown_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ndescription: x\n# a remark\ndfew_recipe:\n  name: sample\n  augment:\n    flip: often\n"
    )
    with pytest.raises(ProfileError) as raised:
        load_profile(path)
    assert str(raised.value) == (
        f"profile mine: dfew_recipe.augment: flip is 'often' (str), but must be a number ({path}, line 7)"
    )
    with pytest.raises(ProfileError, match=r"dfew_recipe: epochs must be at least 1, not 0 \(laid over the profile\)"):
        load_profile(path, {"dfew_recipe": {"epochs": 0, "augment": {"flip": 0.5}}})
    with pytest.raises(ProfileError, match=r"line 7\)$"):  # what is laid over is not what is wrong
        load_profile(path, {"dfew_recipe": {"epochs": 1}})


def test_the_older_spelling_is_read_with_a_hint_and_kept_in_digests(caplog: pytest.LogCaptureFixture) -> None:
    _hint_at_spelling.cache_clear()
    changes = [
        {
            "dfew_recipe": {name: "sgd"},
            "noise": {"recipe": {name: "sgd"}},
            "experiments": {"recipes": {"c3d": {name: "sgd"}}},
        }
        for name in ("optimizer", "optimiser")
    ]
    new = load_profile(PROFILES / "sample.yaml", changes[0])
    assert not caplog.records
    old = load_profile(PROFILES / "sample.yaml", changes[1])
    load_profile(PROFILES / "sample.yaml", changes[1])
    assert [record.getMessage() for record in caplog.records] == [
        "a recipe's setting is spelled `optimizer`; `optimiser` is still read"
    ]
    assert old == new and old.recipe_for("dfew").optimizer == "sgd"
    assert old.to_dict() == new.to_dict()
    assert old.to_dict()["dfew_recipe"] == {"name": "sample", "optimiser": "sgd"}
    assert "optimiser" in old.recipe_for("dfew").to_dict()


#: Digests of what the profiles meant when every part was a mapping; a user's finished work is found by them.
DIGESTS = {
    "paper": "f6a36acef72659ff0dc493a2363b3456cdf5e5f6c8efa9a6efaa7d1164edda61",
    "quick": "2fb1eaaddab415a33acfdbec204a49b34a9a125ed01c5646cc6f2b7b242a58d6",
    "sample": "93eb77627a6d17102f61c422af45cd93da0a4e215a97a928b39acd17b7b922b6",
}


@pytest.mark.parametrize("name", DIGESTS)
def test_a_shipped_profile_keeps_its_digest(name: str) -> None:
    profile = load_profile(PROFILES / f"{name}.yaml", WRITTEN)
    assert config_digest(profile) == DIGESTS[name]
    assert profile.align.margin == 0 and profile.dfew_recipe.lr == 0.001


#: Values that are converted where they are read, and digested as they were written.
WRITTEN = {"align": {"margin": 0}, "dfew_recipe": {"optimiser": "adamw", "lr": "1e-3"}, "workers": "3"}


def test_a_section_of_the_file_that_is_no_mapping_is_not_replaced_silently(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: p\ndescription: d\ndfew_recipe: sample\n")
    with pytest.raises(ProfileError, match=r"p\.yaml, line 3: dfew_recipe: 'sample' \(str\) is given instead of named"):
        load_profile(path, {"dfew_recipe": {"epochs": 10}})
