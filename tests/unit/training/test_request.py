"""A training that is asked for: what a profile makes of it, and the way to another process and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from nrdfer.config.profile import Profile
from nrdfer.core.errors import ProfileError
from nrdfer.shards.split import Split
from nrdfer.training.key import key_of
from nrdfer.training.request import TrainingRequest, request_of
from tests.unit.training.tiny import request

PROFILE = Profile.read(
    {
        "name": "own",
        "description": "",
        "dfew_recipe": {"name": "sample"},
        "afew_recipe": {"name": "sample-afew"},
        "engine": {"workers": 5},
    },
    "profile own",
)


@pytest.mark.parametrize("weights", [None, Path("first.safetensors")], ids=["from scratch", "fine-tuned"])
def test_a_request_comes_back_from_json(tmp_path: Path, weights: Path | None) -> None:
    asked = request(tmp_path, initial_weights=weights)
    back = TrainingRequest.from_json(asked.to_json(), "request.json")
    settings = json.loads(json.dumps(asked.model_settings))  # tuples are lists
    assert back == dataclasses.replace(asked, model_settings=settings)
    assert key_of(dataclasses.replace(back, initial_weights=None)).checkpoint_identity() == (
        key_of(dataclasses.replace(asked, initial_weights=None)).checkpoint_identity()
    )


def test_a_request_of_another_version_is_refused(tmp_path: Path) -> None:
    values = json.loads(request(tmp_path).to_json())
    values["engine"]["colour"] = "red"
    with pytest.raises(ProfileError, match=r"engine in request\.json: unknown setting colour"):
        TrainingRequest.from_json(json.dumps(values), "request.json")


@pytest.mark.parametrize(("corpus", "recipe"), [("dfew", "sample"), ("afew", "sample-afew")])
def test_a_profile_and_a_split_make_a_request(tmp_path: Path, corpus: str, recipe: str) -> None:
    split = Split("any", corpus, tmp_path / "shards", ("a", "b"), ("c",))
    made = request_of(PROFILE, split, tmp_path / "work", tmp_path / "out")
    assert (made.model, made.recipe.name, made.engine.workers) == (PROFILE.model, recipe, 5)
    assert made.model_settings["classes"] == 7
    assert (made.shards, made.train_ids, made.test_ids) == (tmp_path / "shards", ("a", "b"), ("c",))
    assert (made.workdir, made.out, made.initial_weights) == (tmp_path / "work", tmp_path / "out", None)
