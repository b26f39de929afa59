from __future__ import annotations

import json

from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.recipe import RECIPES
from nrdfer.training.open_choices import CHOICES

runner = CliRunner()


def test_programs_get_every_field_and_every_choice() -> None:
    told = json.loads(runner.invoke(app, ["recipes", "--json"]).stdout)
    assert list(told["recipes"]) == list(RECIPES)
    assert told["recipes"]["dfew-author-code"]["weight_decay"] == RECIPES["dfew-author-code"].weight_decay
    assert [row["point"] for row in told["left_open"]] == [choice.point for choice in CHOICES]
    assert told["left_open"][0]["chosen"] == "`weight_decay: 0.0001`"


def test_people_get_tables() -> None:
    done = runner.invoke(app, ["recipes"])
    assert done.exit_code == 0, done.output
    for word in (*RECIPES, "weight decay", "docs/training.md"):
        assert word in done.output
