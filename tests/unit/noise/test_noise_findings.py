"""On predictions whose answers are known: measures, intervals and verdicts say what was put in."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from nrdfer.config.noise import COMPONENTS, N1, N2, NoiseSettings
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.synthetic.timeline import N1_KINDS
from nrdfer.noise.corpus import plan, timeline_of
from nrdfer.noise.findings import CONTRADICTED, HOLDS, RATIO, UNSUPPORTED, Findings, Verdict
from nrdfer.noise.findings import NEUTRAL as CALLED
from nrdfer.noise.findings import WAR as ACCURACY
from nrdfer.noise.intervals import Estimate, by_person, estimate
from nrdfer.noise.measure import ALL, Panel, attention_on, build_panel
from nrdfer.noise.report import CSV, JSON, MARKDOWN, write_findings

SETTINGS = NoiseSettings(
    training_people=1, test_people=12, n1_levels=(0.0, 0.3, 0.6), n2_levels=(0.0, 0.6), rivals=("resnet18-lstm",)
)


def truth() -> list[dict[str, Any]]:
    return [
        {
            "clip_id": clip.clip_id,
            "base": clip.base,
            "person": clip.person,
            "emotion": clip.emotion,
            "kind": clip.kind,
            "level": clip.level,
            "noise": list(timeline_of(clip, SETTINGS).noise),
        }
        for clip in plan(SETTINGS)
    ]


def predictions(rows: list[dict[str, Any]]) -> dict[tuple[str, int], pd.DataFrame]:
    """Dynamic tokens avoid N1, learned ones do not; SF helps under N2; the rival is wrong under N1."""
    tables = {}
    for number, name in enumerate(SETTINGS.networks):
        for seed in range(SETTINGS.seeds):
            rng = np.random.default_rng([number, seed])
            told = []
            for row in rows:
                if row["kind"] == "training":
                    continue
                frames = list(np.linspace(0, len(row["noise"]) - 1, 16).astype(int))
                noisy = np.array([row["noise"][frame].startswith("n1") for frame in frames[:-1]])
                weights = np.where(noisy, 0.2 if "dct" in name else 1.0, 1.0)
                right = rng.random() < (0.2 if name == "resnet18-lstm" and row["kind"] == N1 else 0.8)
                answer = row["emotion"] if right else EMOTIONS[(EMOTIONS.index(row["emotion"]) + 3) % 7]
                lost = row["kind"] == N2 and row["emotion"] != "neutral" and rng.random() < 0.5
                told.append(
                    {
                        "clip_id": row["clip_id"],
                        "emotion": row["emotion"],
                        "predicted": answer,
                        "predicted_unfiltered": "neutral" if lost else answer,
                        "frames": frames,
                        "attention": weights / weights.sum() if name in COMPONENTS else np.array([]),
                    }
                )
            tables[name, seed] = pd.DataFrame(told)
    return tables


@pytest.fixture(scope="module")
def panel() -> Panel:
    rows = truth()
    return build_panel(predictions(rows), rows, SETTINGS)


@pytest.fixture(scope="module")
def found(panel: Panel) -> Findings:
    return Findings(panel, SETTINGS)


def verdict(found: Findings, *words: str) -> Verdict:
    (one,) = [v for v in found.verdicts if all(word in v.claim for word in words)]
    return one


def test_attention_on_noise_is_its_sum() -> None:
    assert attention_on([0.5, 0.2, 0.3], [True, False, True]) == pytest.approx(0.8)
    assert attention_on([0.5, 0.5], [False, False]) == 0


def test_the_panel_is_what_was_put_in(panel: Panel) -> None:
    assert panel.conditions == ((N1, 0.0), (N1, 0.3), (N1, 0.6), (N2, 0.6))
    assert panel.correct["h"].shape == (3, 4, 84)
    assert panel.planted_LC[2].mean() == pytest.approx(0.6, abs=0.02)
    learned, dynamic = panel.mass["baseline", ALL], panel.mass["dct", ALL]
    np.testing.assert_allclose(learned.mean(0), panel.share[ALL], atol=1e-12)  # even attention
    share = panel.share[ALL][2]
    np.testing.assert_allclose(dynamic[0, 2], 0.2 * share / (0.2 * share + 1 - share), atol=1e-12)
    assert (panel.mass["dsf", ALL][:, 0] == 0).all()
    np.testing.assert_allclose(sum(panel.share[kind] for kind in N1_KINDS), panel.share[ALL], atol=1e-12)


def test_a_missing_training_or_clip_is_named() -> None:
    rows = truth()
    tables = predictions(rows)
    del tables["dsf", 1]
    with pytest.raises(NrdferError, match="lacks predictions of dsf, seed 1"):
        build_panel(tables, rows, SETTINGS)
    tables["dsf", 1] = tables["dsf", 0].iloc[:-1]
    with pytest.raises(NrdferError, match="dsf, seed 1"):
        build_panel(tables, rows, SETTINGS)


def test_verdicts_follow_what_was_put_in(found: Findings) -> None:
    assert verdict(found, "learned token", "without DSF").verdict == HOLDS
    assert verdict(found, "N1 frames than even attention", "with DSF").verdict == HOLDS
    assert verdict(found, "SF calls fewer").verdict == HOLDS
    assert verdict(found, "SF raises WAR where").verdict == HOLDS
    assert verdict(found, "higher WAR under N1", "resnet18-lstm").verdict == HOLDS
    # nothing was put in that lets one of the networks be better than another
    assert verdict(found, "DCT raises WAR").verdict == UNSUPPORTED
    assert verdict(found, "higher WAR under N1", "baseline").verdict == UNSUPPORTED


def test_a_claim_is_contradicted_where_the_opposite_is_put_in(panel: Panel) -> None:
    swap = {"baseline": "dct", "dct": "baseline"}
    mass = {(name, kind): panel.mass[swap.get(name, name), kind] for name, kind in panel.mass}
    other = Findings(dataclasses.replace(panel, mass=mass), SETTINGS)
    assert verdict(other, "learned token", "without DSF").verdict == CONTRADICTED


def test_a_kind_of_noise_that_is_looked_at_is_told_from_one_that_is_not(panel: Panel) -> None:
    """Away from missing faces, towards another person's: together that may look like nothing at all."""
    mass = dict(panel.mass)
    mass["dct", "n1_noface"] = 0.1 * panel.mass["baseline", "n1_noface"]
    mass["dct", "n1_person"] = 1.9 * panel.mass["baseline", "n1_person"]
    found = Findings(dataclasses.replace(panel, mass=mass), SETTINGS)
    ratios = {one.kind: one.ratio for one in found.by_kind if one.network == "dct"}
    assert ratios["n1_noface"].value == pytest.approx(0.1) and ratios["n1_noface"].high < 1
    assert ratios["n1_person"].value == pytest.approx(1.9) and ratios["n1_person"].low > 1
    assert verdict(found, "another person's face", "without DSF").verdict == CONTRADICTED


def test_curves_have_their_means_and_hold_them(found: Findings, panel: Panel) -> None:
    curve = found.find(ACCURACY, "h", N1)
    assert curve.levels == (0.0, 0.3, 0.6)
    for i, point in enumerate(curve.points):
        assert point.value == pytest.approx(100 * panel.correct["h"][:, i].mean())
        assert point.low < point.value < point.high
    assert found.find(CALLED, "a", N2).points[1].value > found.find(CALLED, "b", N2).points[1].value + 30
    assert [round(p.value, 6) for p in found.find(RATIO, "baseline", N1).points] == [1.0, 1.0]
    with pytest.raises(KeyError, match="no WAR of z"):
        found.find(ACCURACY, "z", N1)


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize(("of_seeds", "of_people"), [(4.0, 1.0), (4.0, 10.0), (0.5, 10.0)])
def test_intervals_of_a_difference_cover_as_often_as_they_say(seeds: int, of_seeds: float, of_people: float) -> None:
    """Trainings differ, and people do in what each network finds hard; the true difference is 3."""
    rng = np.random.default_rng(0)
    covered, trials = 0, 800
    for _ in range(trials):
        parts = []
        for sign, mean in ((1, 73.0), (-1, 70.0)):
            training = rng.normal(0, of_seeds, (seeds, 1))
            person = rng.normal(0, of_people, (1, 20))
            parts.append(sign * (mean + training + person + rng.normal(0, 5, (seeds, 20))))
        bounds = estimate(parts)
        covered += bounds.low <= 3 <= bounds.high
    assert 0.94 <= covered / trials <= 0.999


def test_people_that_are_hard_for_both_networks_are_paired() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 20, 30)
    one, other = (70 + hard + rng.normal(0, 1, (5, 30)) for _ in range(2))
    alone, difference = estimate([one]), estimate([one, -other])
    assert difference.high - difference.low < 0.2 * (alone.high - alone.low)


def test_what_does_not_vary_has_no_width_and_too_few_have_no_interval() -> None:
    assert estimate([np.full((3, 4), 2.0)]) == Estimate(2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="two trainings and two people"):
        estimate([np.zeros((1, 4))])


def test_means_over_people_count_everybody_alike() -> None:
    values = np.arange(6.0).reshape(1, 1, 6)
    np.testing.assert_allclose(by_person(values, np.array([4, 4, 4, 7, 7, 9]))[0, 0], [1.0, 3.5, 5.0])


def test_a_sign_needs_the_whole_interval() -> None:
    assert [Estimate(1, low, high).sign for low, high in ((0.1, 2), (-2, -0.1), (-1, 2), (0, 0))] == [1, -1, 0, 0]


def test_files_hold_everything(found: Findings, tmp_path: Path) -> None:
    told = write_findings(found, SETTINGS, tmp_path)
    assert sum(told.values()) == len(found.verdicts)
    rows = pd.read_csv(tmp_path / CSV)
    assert len(rows) == sum(len(curve.points) for curve in found.curves) + 4 * 3
    assert len(json.loads((tmp_path / JSON).read_text())["verdicts"]) == len(found.verdicts)
    text = (tmp_path / MARKDOWN).read_text()
    assert "| h: DSF + DCT + SF |" in text and "**holds**" in text
    for path in tmp_path.glob("*.png"):
        picture = cv2.imread(str(path))
        assert picture.shape[1] > 600 and picture.std() > 20
    assert len(list(tmp_path.glob("*.png"))) == 3
