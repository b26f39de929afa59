"""On predictions whose answers are known: measures, intervals and verdicts say what was put in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from nrdfer.emotions import EMOTIONS
from nrdfer.errors import NrdferError
from nrdfer.noise.corpus import plan, timeline_of
from nrdfer.noise.findings import CONTRADICTED, HOLDS, NOT_SHOWN, RATIO, Findings, Verdict
from nrdfer.noise.findings import NEUTRAL as CALLED
from nrdfer.noise.findings import WAR as ACCURACY
from nrdfer.noise.intervals import Bootstrap, Estimate, estimate
from nrdfer.noise.measure import Panel, attention_on, build_panel
from nrdfer.noise.report import CSV, JSON, MARKDOWN, write_findings
from nrdfer.noise.settings import COMPONENTS, N1, N2, NoiseSettings

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
    learned, dynamic = panel.mass["baseline"], panel.mass["dct"]
    np.testing.assert_allclose(learned.mean(0), panel.share_LC, atol=1e-12)  # even attention
    share = panel.share_LC[2]
    np.testing.assert_allclose(dynamic[0, 2], 0.2 * share / (0.2 * share + 1 - share), atol=1e-12)
    assert (panel.mass["dsf"][:, 0] == 0).all()


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
    assert verdict(found, "even attention", "with DSF").verdict == HOLDS
    assert verdict(found, "SF calls fewer", "(dct)").verdict == HOLDS
    assert verdict(found, "SF raises WAR", "(baseline)").verdict == HOLDS
    assert verdict(found, "higher WAR", "resnet18-lstm").verdict == HOLDS
    # nothing was put in that lets one of the networks be better than another
    assert verdict(found, "component raises WAR", "DCT, with DSF").verdict == NOT_SHOWN


def test_a_claim_is_contradicted_where_the_opposite_is_put_in(panel: Panel) -> None:
    swapped = {**panel.mass, "baseline": panel.mass["dct"], "dct": panel.mass["baseline"]}
    other = Findings(
        Panel(
            panel.conditions, panel.people, panel.emotions, panel.planted_LC, panel.correct, panel.neutral, swapped,
            panel.share_LC,
        ),
        SETTINGS,
    )  # fmt: skip
    assert verdict(other, "learned token", "without DSF").verdict == CONTRADICTED


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


def test_intervals_cover_a_known_mean_over_people() -> None:
    """People differ; of many benchmarks with other people, about 95 % have intervals that hold the true mean."""
    covered = 0
    for trial in range(150):
        rng = np.random.default_rng(trial)
        skill = rng.normal(0.7, 0.15, 20).repeat(7)
        values = np.clip(skill, 0, 1)[None, None] + rng.normal(0, 0.05, (3, 1, 140))
        people = np.arange(20).repeat(7)
        draws = Bootstrap(people, ("net",), 3, draws=400).mean(values, "net")[:, 0]
        true = np.clip(np.random.default_rng(999).normal(0.7, 0.15, 100_000), 0, 1).mean()
        bounds = estimate(float(values.mean()), draws)
        covered += bounds.low <= true <= bounds.high
    assert 0.86 <= covered / 150 <= 0.99


def test_a_sign_needs_the_whole_interval() -> None:
    assert [Estimate(1, low, high).sign for low, high in ((0.1, 2), (-2, -0.1), (-1, 2), (0, 0))] == [1, -1, 0, 0]


def test_files_hold_everything(found: Findings, tmp_path: Path) -> None:
    told = write_findings(found, SETTINGS, tmp_path)
    assert sum(told.values()) == len(found.verdicts)
    rows = pd.read_csv(tmp_path / CSV)
    assert len(rows) == sum(len(curve.points) for curve in found.curves)
    assert len(json.loads((tmp_path / JSON).read_text())["verdicts"]) == len(found.verdicts)
    text = (tmp_path / MARKDOWN).read_text()
    assert "| h: DSF + DCT + SF |" in text and "**holds**" in text
    for path in tmp_path.glob("*.png"):
        picture = cv2.imread(str(path))
        assert picture.shape[1] > 600 and picture.std() > 20
    assert len(list(tmp_path.glob("*.png"))) == 3
