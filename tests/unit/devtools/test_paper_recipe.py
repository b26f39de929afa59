"""The command that asks whether the paper's recipe learns: its settings, its verdict, its refusals."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from devtools import paper_recipe
from nrdfer.config.recipe import RECIPES
from nrdfer.experiments.check_profile import check_profile
from tests.unit.reporting.figures.pictures import check_png


def _options(monkeypatch: pytest.MonkeyPatch, folder: Path, *words: str) -> argparse.Namespace:
    line = ["paper_recipe", "--work", str(folder / "work"), "--out", str(folder / "curve"), *words]
    monkeypatch.setattr("sys.argv", line)
    return paper_recipe._options()


def test_the_recipe_is_the_papers_and_only_sizes_change(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = _options(monkeypatch, tmp_path, "--people", "25", "--size", "48", "--widths", "8,8,16", "--seed", "4")
    profile = paper_recipe.profile_of(given)
    check_profile(profile)
    assert profile.dfew_recipe.to_dict() == {**RECIPES["dfew-paper"].to_dict(), "seed": 4}
    assert (profile.corpora.render.identities, profile.corpora.render.seed) == (25, 4)
    assert profile.model_settings == {"image_size": 48, "widths": [8, 8, 16]}


def test_the_full_run_is_of_dfews_size_and_the_papers_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = _options(monkeypatch, tmp_path, "--full")
    assert given.people % 5 == 0
    assert abs(given.people * 7 * 4 // 5 - 9356) <= 28  # clips to learn from, as in a fold of DFEW
    assert (given.size, given.widths) == (112, (64, 128, 256))


def test_chance_is_left_only_beyond_what_chance_does() -> None:
    assert not paper_recipe.left_chance(24, 140)["left_chance"]
    assert paper_recipe.left_chance(40, 140)["left_chance"]
    assert paper_recipe.left_chance(20, 140)["p_by_chance"] == pytest.approx(0.54, abs=0.03)


def test_files_and_folders_of_others_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "curve.json").write_text("mine")
    for words in ((), ("--out", str(tmp_path / "other"), "--arms", "dfew")):
        with pytest.raises(SystemExit) as stopped:
            _options(monkeypatch, tmp_path, *words)
        assert stopped.value.code == 2
    assert "curve.json" in capsys.readouterr().err
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine").touch()
    monkeypatch.setattr("sys.argv", ["x", "--work", str(tmp_path / "work"), "--out", str(tmp_path / "other")])
    with pytest.raises(SystemExit, match="no script of this kind"):
        paper_recipe.main()


def test_the_picture_shows_every_training(tmp_path: Path) -> None:
    arms: list[dict[str, Any]] = [{"title": arm.title, "test_war": [0.1, 0.3]} for arm in paper_recipe.ARMS.values()]
    paper_recipe.draw(arms, tmp_path / "curve.png")
    check_png(tmp_path / "curve.png", 6.4, 3.6)
