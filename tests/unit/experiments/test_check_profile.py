from __future__ import annotations

from typing import Any

import pytest

from nrdfer.config.profile import load_profile
from nrdfer.core.errors import ProfileError
from nrdfer.corpora.dfew import DFEW, Dfew
from nrdfer.corpora.registry import CORPORA
from nrdfer.experiments.check_profile import check_profile
from nrdfer.models.registry import MODELS
from nrdfer.training.request import network_settings
from pipelines.resources import PROFILES


@pytest.mark.parametrize("profile", ["sample", "paper"])
@pytest.mark.parametrize("model", MODELS)
def test_every_network_fits_both_profiles(profile: str, model: str) -> None:
    check_profile(load_profile(PROFILES / f"{profile}.yaml", {"model": model}))


def test_a_profiles_network_is_its_preset_with_its_own_settings_on_top() -> None:
    profile = load_profile(PROFILES / "sample.yaml", {"model_settings": {"mu1": 0.6}})
    settings = network_settings(profile, DFEW)
    assert (settings["mu1"], settings["image_size"], settings["widths"]) == (0.6, 64, (24, 48, 96))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model": "nr-dferent"}, "there is no model 'nr-dferent'; known are nr-dfernet, c3d"),
        ({"model": "c3d", "model_preset": "author-code"}, "c3d has no preset 'author-code'"),
        ({"model_settings": {"width": 3}}, "unknown setting width"),
        ({"model_settings": {"stem": "vgg"}}, "stem must be"),
        ({"dfew_recipe": {"sampling": {"segments": 4}}}, "dfew_recipe samples 4 x 2 = 8 frames, but nr-dfernet takes"),
        ({"afew_recipe": {"sampling": {"strategy": "tim"}}}, "strategy must be one of ds, ti, linear"),
        ({"afew_recipe": {"epoch": 3}}, "afew_recipe: unknown setting epoch"),
        ({"align": {"margins": 3}}, "align: unknown setting margins"),
        ({"corpora": {"render": {"identity": 3}}}, "corpora.render: unknown setting identity"),
        ({"initial": {"AFEW": "none"}}, "initial names 'AFEW'; it can name afew"),
    ],
)
def test_a_typo_is_found_before_any_work(overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        check_profile(load_profile(PROFILES / "sample.yaml", overrides))


def test_a_further_corpus_is_checked_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Acted(Dfew):
        name, splits, recipe = "acted", ("mine",), "sample"

    monkeypatch.setitem(CORPORA, "acted", Acted())
    sampling = {"sampling": {"segments": 4}}
    changes = {"model_settings": {"frames": 8}, "dfew_recipe": sampling, "afew_recipe": sampling}
    profile = load_profile(PROFILES / "sample.yaml", changes)
    check_profile(profile)
    with pytest.raises(ProfileError, match=r"recipes: acted samples 8 x 2 = 16 frames"):
        check_profile(profile, "acted")
