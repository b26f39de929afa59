"""Two reproductions are compared by all their values, also by those that no profile writes down."""

from __future__ import annotations

from nrdfer.config.profile import Profile
from nrdfer.config.settings import flatten
from nrdfer.shards.split import Split
from nrdfer.tracking.log_uploader import training_name
from nrdfer.training.resolved_settings import resolved_settings

WRITTEN = {"name": "own", "description": "", "dfew_recipe": {"lr": 0.01}, "recipes": {"ferv39k": {"epochs": 3}}}


def test_defaults_are_written_out_and_what_was_written_stays() -> None:
    profile = Profile.read(WRITTEN, "profile own")
    flat = flatten(resolved_settings(profile))
    assert (flat["dfew_recipe.lr"], flat["dfew_recipe.gamma"], flat["afew_recipe.momentum"]) == (0.01, 0.9, 0.9)
    assert (flat["engine.precision"], flat["recipes.ferv39k.epochs"]) == ("fp32", 3)
    assert flat.keys() >= flatten(profile.to_dict()).keys() and "model_settings.mu1" not in flat
    assert flatten(resolved_settings(profile, network=True))["model_settings.mu1"] == 0.7


def test_trainings_are_named_like_their_assets(tmp_path: object) -> None:
    def split(name: str, corpus: str) -> Split:
        return Split(name, corpus, tmp_path, ("a",), ("b",))  # type: ignore[arg-type]

    assert training_name(split("fd1", "dfew")) == "dfew/fd1/training"
    assert training_name(split("fd1", "dfew"), "baseline") == "dfew/fd1/baseline/training"
    assert training_name(split("afew", "afew")) == "afew/training"
