"""On answers that are known: contrasts, verdicts, tables and the page say what was put in."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from nrdfer.config.noise import ARMS, COMPONENTS, CONTRASTS, DYNAMIC, LEARNED, N1, N2, POOLED, TOKENS, NoiseSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.noise.contrasts import filter_effects, premise, slope, war
from nrdfer.noise.corpus import LEARNT, PLANTED_KINDS, plan, timeline_of
from nrdfer.noise.findings import find
from nrdfer.noise.measure import NEUTRAL, Answers, Grid, Measured, read_networks
from nrdfer.noise.mechanism import READINGS, USE, noise_seen, with_n1
from nrdfer.noise.page import PICTURES, page
from nrdfer.noise.report import CSV, JSON, MARKDOWN, write_findings
from nrdfer.noise.tables import number
from nrdfer.noise.verdicts import CONTRADICTED, HOLDS, UNDECIDED

SETTINGS = NoiseSettings(
    training_people=2, test_people=12, n1_levels=(0.0, 0.3, 0.6), n2_levels=(0.0, 0.5), backbones=3, stage_seeds=2
)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    found = [
        {**dataclasses.asdict(clip), "clip_id": clip.clip_id, "base": clip.base,
         "noise": list(timeline_of(clip, SETTINGS).noise)}
        for clip in plan(SETTINGS) if clip.kind not in LEARNT
    ]  # fmt: skip
    return sorted(found, key=lambda row: str(row["clip_id"]))


@pytest.fixture(scope="module")
def frames(rows: list[dict[str, Any]]) -> np.ndarray:
    return np.stack([np.linspace(0, len(row["noise"]) - 1, 15).astype(int) for row in rows])


def answers(rows: list[dict[str, Any]], frames: np.ndarray, *, token: str = "", chooses: bool = True) -> Answers:
    """The dynamic token loses to N2 and looks at N1; the filter vetoes half of what is not neutral, or one in four."""
    labels = np.array([EMOTIONS.index(row["emotion"]) for row in rows])
    hard = np.array([row["kind"] == N2 and row["emotion"] != "neutral" for row in rows])
    shape = (SETTINGS.backbones, SETTINGS.stage_seeds, len(rows))
    lost = hard & (RNG.random(shape) < (0.7 if token == DYNAMIC else 0.3))
    wrong = RNG.random(shape) < 0.2
    second = np.where(wrong | (labels == NEUTRAL), (labels + 1) % 7, labels)
    second = np.where(second == NEUTRAL, (second + 1) % 7, second)
    best = np.where(lost | (labels == NEUTRAL), NEUTRAL, second)
    chance = np.where(labels == NEUTRAL, 0.05, 0.6) if chooses else 0.25
    share = noise_seen(rows, frames)[with_n1(rows)].mean(1)
    mass = share * (1.5 if token == DYNAMIC else 0.5) * RNG.uniform(0.9, 1.1, (*shape[:2], len(share), 1))
    readings = (USE,) if token == POOLED else (*READINGS, USE)
    return Answers(best, second, RNG.random(shape) < chance, dict.fromkeys(readings, mass), mass.sum(-1))


@pytest.fixture(scope="module")
def measured(rows: list[dict[str, Any]], frames: np.ndarray) -> Measured:
    stages = {(token, arm): answers(rows, frames, token=token) for token in TOKENS for arm in ARMS}
    networks = {name: answers(rows, frames) for name in COMPONENTS}
    wins = np.clip(RNG.normal(0.8, 0.1, (SETTINGS.backbones, len(with_n1(rows)))), 0, 1)
    wins[:, ::7] = np.nan  # clips that show only noise, or none
    return Measured(Grid.of(rows, frames, SETTINGS), stages, networks, wins)


@pytest.fixture(scope="module")
def found(measured: Measured) -> dict[str, Any]:
    return find(measured, SETTINGS)


def verdict(found: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = [row for row in found["verdicts"] if row["name"] == name]
    return dict(row)


def test_the_grid_has_every_clip_in_every_condition(measured: Measured, rows: list[dict[str, Any]]) -> None:
    grid = measured.grid
    assert grid.conditions == ((N1, 0.0), (N1, 0.3), (N1, 0.6), (N2, 0.5))
    for line, (kind, level) in zip(grid.places_LC, grid.conditions, strict=True):
        assert {(rows[place]["kind"], rows[place]["level"]) for place in line} == {(kind, level)}
        assert [rows[place]["person"] for place in line] == grid.people_C.tolist()
    assert sorted(grid.places_LC.ravel()) == list(range(len(rows)))
    assert grid.levels(N2) == [0.0, 0.5]


def test_war_and_slopes_are_those_of_the_answers(measured: Measured) -> None:
    one, grid = measured.stages[DYNAMIC, "a"], measured.grid
    wars = war(one, grid)
    assert wars[:, 0].mean() == pytest.approx(100 * (one.best[..., grid.places_LC[0]] == grid.labels_C).mean())
    np.testing.assert_allclose(slope(one, grid, N2), wars[:, 3] - wars[:, 0])  # two levels, half the frames apart
    assert war(one, grid, filtered=True)[:, 3].mean() > wars[:, 3].mean()


def test_verdicts_follow_what_was_put_in(found: dict[str, Any]) -> None:
    assert [row["name"] for row in found["verdicts"]] == list(CONTRASTS)
    assert verdict(found, "premise")["verdict"] == HOLDS
    assert verdict(found, "attention")["verdict"] == CONTRADICTED
    assert verdict(found, "slope-n2")["verdict"] == CONTRADICTED
    assert verdict(found, "sf")["verdict"] == HOLDS
    assert verdict(found, "dsf")["verdict"] not in (HOLDS, CONTRADICTED)
    assert verdict(found, "dsf")["adjusted"] >= verdict(found, "dsf")["estimate"]["p"]


def test_a_filter_that_vetoes_at_random_is_not_announced(
    measured: Measured, rows: list[dict[str, Any]], frames: np.ndarray
) -> None:
    stages = {(token, arm): answers(rows, frames, token=token, chooses=False) for token in TOKENS for arm in ARMS}
    blind = find(dataclasses.replace(measured, stages=stages), SETTINGS)
    assert verdict(blind, "sf")["verdict"] not in (HOLDS, CONTRADICTED)
    effects = filter_effects(stages[LEARNED, "a"], measured.grid)
    assert effects["others"].mean() == pytest.approx(25, abs=10) == effects["neutral"].mean()


def test_a_filter_that_never_vetoes_is_undecided(measured: Measured) -> None:
    stages = {key: dataclasses.replace(one, veto=np.zeros_like(one.veto)) for key, one in measured.stages.items()}
    assert verdict(find(dataclasses.replace(measured, stages=stages), SETTINGS), "sf")["verdict"] == UNDECIDED


def test_a_person_without_a_pair_of_frames_counts_as_the_mean(measured: Measured) -> None:
    wins = np.full_like(measured.premise_Un, 0.75)
    wins[:, measured.grid.people_n == measured.grid.people_n[0]] = np.nan
    np.testing.assert_allclose(premise(dataclasses.replace(measured, premise_Un=wins)), 25)


def test_a_missing_training_or_clip_is_named(rows: list[dict[str, Any]], frames: np.ndarray) -> None:
    with pytest.raises(NrdferError, match="lacks predictions of baseline, seed 0"):
        read_networks({}, rows, noise_seen(rows, frames), SETTINGS)
    table = pd.DataFrame({"clip_id": ["a"]})
    with pytest.raises(NrdferError, match="lacks predictions of baseline, seed 0"):
        read_networks({("baseline", 0): table}, rows, noise_seen(rows, frames), SETTINGS)


def test_noise_is_told_by_the_first_frame_of_a_feature() -> None:
    rows = [{"noise": ["none", PLANTED_KINDS[2], "n2_neutral"]}]
    assert noise_seen(rows, np.array([[1, 2, 0]])).tolist() == [[[False, False, True, False], [False] * 4, [False] * 4]]


def test_every_sentence_has_the_figure_that_carries_it(found: dict[str, Any]) -> None:
    text = page(found)
    for row in found["verdicts"]:
        assert f"{row['claim']}. " in text and number(row["estimate"], 2) in text
    assert "This is contradicted: the opposite was measured" in text and "by chance" in text
    other = json.loads(json.dumps(found))
    for row in other["verdicts"]:
        row.update(verdict=UNDECIDED)
    assert "This holds" not in page(other) and "contradicted: the opposite" not in page(other)
    assert len(re.findall("This is undecided", page(other))) == 6


def test_without_findings_the_page_says_so_and_has_no_figures_of_them() -> None:
    text = page(None)
    assert "has not been run yet" in text and "![" not in text
    assert all(contrast.claim in text for contrast in CONTRASTS.values())
    assert not any(word in text for word in ("This holds", "p after Holm"))


def test_what_is_decided_is_in_the_digest() -> None:
    one = SETTINGS.registered()
    assert one != dataclasses.replace(SETTINGS, margin=3.0).registered()
    assert one != dataclasses.replace(SETTINGS, contrasts=("premise",)).registered()


def test_files_hold_everything(found: dict[str, Any], tmp_path: Path) -> None:
    write_findings(found, tmp_path)
    assert json.loads((tmp_path / JSON).read_text()) == found
    rows = pd.read_csv(tmp_path / CSV)
    assert len(rows) == sum(len(curve["points"]) for curve in found["curves"])
    assert (tmp_path / MARKDOWN).read_text() == page(found, pictures="")
    assert {path.name for path in tmp_path.glob("*.png")} == set(PICTURES)
    for path in tmp_path.glob("*.png"):
        picture = cv2.imread(str(path))
        assert picture is not None and picture.shape[1] > 600 and picture.std() > 10
