"""What the pages say in numbers is what the code says."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from assets import asset_groups
from nrdfer.cli import app
from nrdfer.config.recipe import RECIPES
from nrdfer.evaluation.inference import WIDTHS, snippets_column
from nrdfer.experiments.catalogue import TABLES
from nrdfer.experiments.fill import line_of
from nrdfer.models.cost_table import HEADER, cost_row
from nrdfer.models.costs import measure, measure_all
from nrdfer.models.nrdfernet import NRDFERNetSettings
from nrdfer.models.registry import MODELS
from nrdfer.noise.page import page
from nrdfer.runtime.engine import Engine
from nrdfer.training.open_choices import CHOICES, RECIPES_HEADER, choice_row, recipe_row
from nrdfer.training.open_choices import HEADER as HEADER_OF_CHOICES

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "models.md").read_text()
TRAINING = (PROJECT / "docs" / "training.md").read_text()
EXPERIMENTS = (PROJECT / "docs" / "experiments.md").read_text()
NOISE = (PROJECT / "docs" / "noise.md").read_text()


def _tables(text: str) -> list[list[list[str]]]:
    """Every Markdown table: rows of cells, without the line below the header."""
    found: list[list[list[str]]] = [[]]
    for line in text.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [[table[0], *table[2:]] for table in found if table]


@pytest.mark.slow
def test_the_table_of_costs_is_current() -> None:
    assert _tables(PAGE)[0] == [list(HEADER), *(cost_row(cost) for cost in measure_all())]


def test_the_tables_of_recipes_and_choices_are_current() -> None:
    recipes, choices, *_ = _tables(TRAINING)
    assert recipes == [list(RECIPES_HEADER), *(recipe_row(recipe) for recipe in RECIPES.values())]
    assert choices == [list(HEADER_OF_CHOICES), *(choice_row(choice) for choice in CHOICES)]


def test_every_field_of_the_engine_is_described_and_what_it_changes() -> None:
    (rows,) = [table for table in _tables(TRAINING) if table[0][0] == "field"]
    described = {row[0].strip("`"): row[2] for row in rows[1:]}
    assert list(described) == [field.name for field in dataclasses.fields(Engine)]
    without = {name for name, result in described.items() if result == "none"}
    others = Engine(
        graphs=True, auto=True, test_batch=64, test_precision="bf16"
    )  # named where they are not the default
    assert without == set(described) - set(others.numerics())


@pytest.mark.parametrize("line", re.findall(r"^    nrdfer (.*?)(?: {2,}#.*)?$", TRAINING, re.MULTILINE))
def test_every_line_of_training_is_understood(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(app, shlex.split(line))
    assert done.exit_code in (0, 1)  # 2: no such command or option
    assert "unknown" not in done.output


def test_every_setting_that_is_named_exists_with_that_default() -> None:
    settings = dataclasses.asdict(NRDFERNetSettings())
    (rows,) = [table for table in _tables(PAGE) if table[0][0] == "point"]
    named = 0
    for row in rows[1:]:
        for name, value in re.findall(r"`(\w+): ([^`]+)`", row[1]):
            told = yaml.safe_load(value)
            assert settings[name] == (tuple(told) if isinstance(told, list) else told), name
            named += 1
        for name in re.findall(r"`(\w+): [^`]+`", row[2]):
            assert name in settings
    assert named > 15


def test_every_rival_is_described() -> None:
    (rows,) = [table for table in _tables(PAGE) if table[0][0] == "name"]
    described = {name for row in rows[1:] for name in re.findall(r"`([^`]+)`", row[0])}
    assert described == set(MODELS) - {"nr-dfernet"}


def test_the_figures_in_the_text_are_the_measured_ones() -> None:
    ours, former = measure("nr-dfernet"), measure("former-dfer")
    readme = (PROJECT / "README.md").read_text()
    for text in (PAGE, readme):
        assert f"{ours.gmacs:.2f}" in text
        assert f"{ours.gmacs_with_filter:.2f}" in text
        assert f"{ours.parameters / 1e6:.1f} M" in text
    assert f"counts {former.gmacs_published_counting:.2f} G" in PAGE


def test_the_bounds_of_the_engines_options_are_those_that_are_tested() -> None:
    from nrdfer.runtime.engine import DEVIATIONS

    text = " ".join((PROJECT / "docs" / "training.md").read_text().split())
    for option in ("fused", "channels_last", "compile"):
        assert f"{DEVIATIONS[option]:g} (`{option}`)" in text
    assert f"mean loss moves by at most {DEVIATIONS['bf16']:g}" in text
    assert DEVIATIONS["workers"] == DEVIATIONS["cache"] == 0


def test_every_table_is_told_with_the_line_that_fills_it() -> None:
    rows = {row[0].strip("`"): row[-1].strip("`") for row in _tables(EXPERIMENTS)[0][1:]}
    assert rows == {name: line_of(table) for name, table in TABLES.items()}


def test_every_column_of_the_stored_predictions_is_told() -> None:
    (rows,) = [table for table in _tables(EXPERIMENTS) if table[0][0] == "column"]
    told = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[0])}
    assert told >= {"clip_id", "emotion", "logit_0", "logit_6", "snippet_logits", "attention", "frames", "vetoed"}
    assert told >= {*map(snippets_column, WIDTHS), "predicted", "predicted_unfiltered"}


def test_the_noise_page_is_made_of_the_findings_of_the_small_setting_or_says_that_there_are_none() -> None:
    figures = PROJECT / "docs" / "noise.json"
    found = json.loads(figures.read_text()) if figures.is_file() else None
    assert found is None or found["settings"]["preset"] == "small"
    assert page(found) == NOISE, "run: python -m scripts.docs.noise"


def test_the_page_about_the_web_pages_lists_every_group() -> None:
    (rows,) = _tables((PROJECT / "docs" / "pages.md").read_text())
    assert rows[1:] == [[f"`{group.name}`", group.summary] for group in (*asset_groups.MAIN, *asset_groups.BESIDE)]


def test_the_picture_and_table_of_packages_are_current() -> None:
    spec = importlib.util.spec_from_file_location("docs_architecture", PROJECT / "scripts/docs/architecture.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.PICTURE.read_text() == script.draw(), "run: python -m scripts.docs.architecture"
    assert script.PAGE.read_text() == script.page(), "run: python -m scripts.docs.architecture"
    assert all(len(script.sentence_of(name)) > 20 for line in script.layers() for name in line)
