from __future__ import annotations

import dataclasses
import re

import pytest
import yaml

from nrdfer.config.recipe import RECIPES, NamedRecipe, Recipe
from nrdfer.config.settings import build_value
from nrdfer.training.open_choices import CHOICES, HEADER, RECIPES_HEADER, choices_markdown, formatted, recipe_row


@pytest.mark.parametrize("choice", CHOICES, ids=[choice.point for choice in CHOICES])
def test_a_choice_says_what_else_there_is_and_what_decided(choice: object) -> None:
    row = dataclasses.asdict(choice)  # type: ignore[call-overload]
    assert (row["fields"] or row["text"]) and row["alternatives"] and row["source"]
    assert "|" not in "".join(str(value) for value in row.values())  # it stands in a Markdown table


def test_values_are_the_recipes_and_can_be_set_as_they_stand() -> None:
    for choice in CHOICES:
        recipe = RECIPES[choice.recipe]
        for name, value in re.findall(r"`([\w.]+): ([^`]+)`", formatted(recipe, *choice.fields)):
            inner: object = yaml.safe_load(value)
            for part in reversed(name.split(".")):
                inner = {part: inner}
            rebuilt = build_value({"name": recipe.name, **inner}, NamedRecipe, "test", ("recipe",))  # type: ignore[dict-item]
            assert formatted(rebuilt, name) == f"`{name}: {value}`"


def test_alternatives_in_words_are_recipes_too() -> None:
    named = {name for choice in CHOICES for name in re.findall(r"recipe `([^`]+)`", choice.alternatives)}
    assert named == {"dfew-author-code", "dfew-paper-oversampled"}


def test_another_recipe_shows_its_own_values() -> None:
    assert "`weight_decay: 0.3`" in choices_markdown(dataclasses.replace(RECIPES["dfew-paper"], weight_decay=0.3))


def test_afews_rows_are_for_afew_only() -> None:
    assert "AFEW:" not in choices_markdown(RECIPES["dfew-paper"])
    assert "AFEW: augmentation" in choices_markdown(RECIPES["afew-paper"])


def test_a_recipes_row_leaves_nothing_out() -> None:
    everything = Recipe("x", 1, 2, "adamw", 0.5, 0.8, 0.3, "step", 0.7, 3, 0.1, 2.0, min_frames=4, seed=5)
    row = dict(zip(RECIPES_HEADER, recipe_row(everything), strict=True))
    assert row["schedule"] == "step: `gamma: 0.7`, `step_epochs: 3`"
    assert row["besides"] == "`momentum: 0.8`, `warmup: 0.1`, `clip_norm: 2`, `min_frames: 4`, `seed: 5`"
    assert len(HEADER) == 4
