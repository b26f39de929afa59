"""Typed fields of the launchpad: what is shown, what is refused, and what reaches the profile."""

from __future__ import annotations

import dataclasses
from typing import Any

import dagster as dg
import pytest

from assets.project_resource import TYPED, Workbench
from nrdfer.config.profile import Profile
from nrdfer.config.recipe import Recipe
from nrdfer.core.errors import ProfileError
from pipelines.definitions import defs
from pipelines.resources import PROFILES, EnvironmentWorkbench

JOB = defs.resolve_job_def("full_reproduction")


def workbench(**given: Any) -> Workbench:
    """The workbench as a run makes it of its config."""
    config = {"resources": {"workbench": {"config": {"profile": "quick", **given}}}}
    resolved = dg.validate_run_config(JOB, config)["resources"]["workbench"]["config"]
    return EnvironmentWorkbench(**{**resolved, "profiles_folder": str(PROFILES)})


def test_every_field_of_a_recipe_is_shown_with_its_type_and_description() -> None:
    shown = EnvironmentWorkbench.to_config_schema().config_type.fields  # type: ignore[union-attr]
    assert set(TYPED) < set(shown)
    recipe = shown["dfew_recipe"].config_type.fields
    assert list(recipe) == [field.name for field in dataclasses.fields(Recipe)]
    kinds = [recipe[name].config_type.inner_type.key for name in ("epochs", "lr", "schedule", "oversample")]
    assert kinds == ["IntSourceType", "Float", "StringSourceType", "BoolSourceType"]
    assert recipe["epochs"].description == (
        "Passes over the training clips. Default: what the profile says, else that of its `name`."
    )
    assert "else 640." in shown["align"].config_type.fields["max_side"].description
    assert not any(field.is_required for field in (*shown.values(), *recipe.values()))


def test_what_is_given_reaches_the_profile_and_the_rest_stays() -> None:
    assert workbench().settings == Workbench(profile="quick", profiles_folder=str(PROFILES)).settings
    settings = workbench(
        model="c3d", dfew_recipe={"epochs": 4, "augment": {"area": [0.5, 1]}}, engine={"precision": "bf16"}, workers=1
    ).settings
    assert (settings.model, settings.workers, settings.engine.precision) == ("c3d", 1, "bf16")
    assert (settings.dfew_recipe.epochs, settings.dfew_recipe.batch) == (4, 8)
    assert settings.dfew_recipe.augment.area == (0.5, 1.0)
    assert settings.engine.threads == 1


def test_overrides_are_laid_over_all_else() -> None:
    settings = workbench(dfew_recipe={"epochs": 4, "batch": 2}, overrides={"dfew_recipe": {"epochs": 5}}).settings
    assert (settings.dfew_recipe.epochs, settings.dfew_recipe.batch) == (5, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dfew_recipe": {"epochs": "many"}}, r'dfew_recipe:epochs\. Value "many" .* expected type "Int"'),
        ({"engine": {"precison": "bf16"}}, r'unexpected config entry "precison".*precision\?'),
        ({"workers": 1.5}, r'workers\. Value "1.5" .* expected type "Int"'),
    ],
)
def test_a_wrong_type_or_name_is_refused_before_the_run(given: dict[str, Any], words: str) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match=words):
        workbench(**given)


def test_a_value_that_the_setting_refuses_is_told_in_words() -> None:
    with pytest.raises(ProfileError, match=r"engine: precision must be one of fp32, tf32, bf16, not 'fp8'"):
        _ = workbench(engine={"precision": "fp8"}).settings


def test_what_is_shown_are_fields_of_a_profile() -> None:
    assert set(TYPED) < {field.name for field in dataclasses.fields(Profile)}
