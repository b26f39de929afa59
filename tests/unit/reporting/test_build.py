"""The whole report from degenerate evaluations: it is written, and tells of each picture that could not be made."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from devtools.shard_files import write_shards
from nrdfer.config.profile import Profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import StoreError
from nrdfer.core.records import ClipRecord
from nrdfer.evaluation.bootstrap import resample
from nrdfer.evaluation.checkpoints import METRICS, PROTOCOLS, features_path, predictions_path
from nrdfer.evaluation.protocols import cross_validation, fold_metrics
from nrdfer.models.trained_files import HISTORY, MODEL
from nrdfer.reporting import captioned_figures
from nrdfer.reporting.build import PAGE, REPORT, write_report
from nrdfer.reporting.collect import Findings, find
from nrdfer.reporting.results import closing_rows, read_results
from nrdfer.store import Artifact, Store

Pairs = Sequence[tuple[str, str]]  # true and told emotion of each clip
PROFILE = Profile.read(
    {
        "name": "own",
        "description": "",
        "model_preset": "sample",
        "dfew_recipe": {"name": "sample"},
        "afew_recipe": {"name": "sample-afew"},
    },
    "profile own",
)
GOOD: Pairs = [(emotion, emotion) for emotion in EMOTIONS] * 2


def evaluation(folder: Path, name: str, pairs: Pairs, features: np.ndarray | None, loss: float) -> Artifact:
    """What an evaluation leaves, of a network with a class token."""
    out = folder / name.replace("/", "_")
    out.mkdir(parents=True)
    n = len(pairs)
    table = pd.DataFrame(pairs, columns=["emotion", "predicted"])
    table = table.assign(
        clip_id=[f"{name}-{i:03d}" for i in range(n)],
        predicted_unfiltered=table["predicted"],
        vetoed=False,
        frames=[list(range(16))] * n,
        attention=[[1 / 15] * 15] * n,
        **{f"logit_{k}": 0.0 for k in range(7)},
        snippets_3=[[0.0] * 49] * n,
    )
    metrics = {}
    made = np.random.default_rng(0).normal(size=(n, 8)) if features is None else features[:n]
    for protocol in PROTOCOLS:
        table.to_parquet(predictions_path(out, protocol), index=False)
        np.save(features_path(out, protocol), made.astype(np.float16))
        metrics[protocol] = fold_metrics(table, EMOTIONS)
    rows = [{"epoch": 1, "train_loss": loss, "test_war": 0.5, "test_war_unfiltered": 0.5}]
    (out / HISTORY).write_text("\n".join(map(json.dumps, rows)))
    (out / METRICS).write_text(json.dumps(metrics))
    settings = {"snippet_width": 3, "snippet_stride": 2, "mu1": 0.7, "mu2": 0.05}
    (out / MODEL).write_text(json.dumps({"model": "nr-dfernet", "settings": settings, "recipe": {}}))
    return Artifact(name, "0" * 64, out, {}, False)


def findings(
    folder: Path, *, pairs: Pairs = GOOD, folds: int = 1, features: np.ndarray | None = None, loss: float = 1.0
) -> Findings:
    made = {f"fd{k}": evaluation(folder, f"fd{k}", pairs, features, loss) for k in range(1, folds + 1)}
    whole = folder / "cross_validation"
    whole.mkdir()
    summary = {
        p: cross_validation({f: pd.read_parquet(predictions_path(a.path, p)) for f, a in made.items()}, EMOTIONS)
        for p in PROTOCOLS
    }
    (whole / METRICS).write_text(json.dumps(summary))
    shards = folder / "shards"
    shards.mkdir()
    black = np.zeros((16, 16, 16, 3), np.uint8)
    records = [ClipRecord("dfew", f"fd1-{i:03d}", pairs[0][0], "", 16, "0" * 64) for i in range(len(pairs))]
    write_shards(((record, black) for record in records), shards, prefix="dfew", clips_per_shard=64)
    return Findings(
        PROFILE,
        made,
        Artifact("dfew/cross_validation", "1" * 64, whole, {}, False),
        evaluation(folder, "afew", pairs, features, loss),
        Artifact("dfew/shards", "2" * 64, shards, {}, False),
        {"dfew/shards": "2" * 64},
        (),
    )


def written(found: Findings, out: Path) -> tuple[str, dict[str, Any]]:
    """The page, and what the step counts; the table can be printed."""
    out.mkdir()
    counts = write_report(found, out, {})
    assert len(closing_rows(read_results(out))) == 4 + len(found.folds)
    page = (out / PAGE).read_text()
    for missing in counts.get("missing", ()):
        assert missing.split(" could not")[0] in html.unescape(page)
        assert missing.split(" could not")[0] in (out / REPORT).read_text()
    return page, counts


CURVES = ["The training curves could not be made"]  # the made-up cross validation has none


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are not what is tested here."""
    monkeypatch.setattr("nrdfer.evaluation.row_metrics.resample", lambda fold, rng, draws: resample(fold, rng, 20))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "fails"),
    [
        ({"folds": 2}, []),
        ({"pairs": [("anger", "fear")]}, []),
        ({"pairs": GOOD[:5] * 2, "features": np.zeros((10, 8)), "loss": float("nan")}, []),
        ({"pairs": [(emotion, EMOTIONS[i - 1]) for i, emotion in enumerate(EMOTIONS)] * 2,
          "features": np.full((14, 8), np.inf)}, ["Figure 6"]),
    ],
    ids=["good", "one clip, wrong", "classes absent, features alike, NaN loss", "all wrong, overflown features"],
)  # fmt: skip
def test_a_degenerate_table_costs_at_most_its_picture(case: dict[str, Any], fails: list[str], tmp_path: Path) -> None:
    page, counts = written(findings(tmp_path / "store", **case), tmp_path / "report")
    missing = counts.get("missing", [])
    assert len(missing) == len(fails) + 1, missing
    for what in [*CURVES, *fails]:
        assert any(what in one for one in missing)
    assert page.count("<figure") == 8 - len(fails)


def broken(*_: object, **__: object) -> None:
    raise ValueError("'xerr' must not contain negative values <b>")


DRAWN = ("draw_recall_bars", "draw_filter_gain", "draw_attention", "draw_feature_map", "draw_confusions")


def test_pictures_that_fail_are_told_on_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DRAWN:
        monkeypatch.setattr(captioned_figures, name, broken)
    monkeypatch.setattr("nrdfer.reporting.trust.plot_calibration", broken)
    page, counts = written(findings(tmp_path / "store"), tmp_path / "report")
    assert page.count("must not contain negative values &lt;b&gt;") == 8
    assert sum("negative values" in one for one in counts["missing"]) == 8
    assert "<figure" not in page


def test_a_section_that_fails_is_told_and_the_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in DRAWN[:-1]:
        monkeypatch.setattr(captioned_figures, name, broken)  # takes longer
    monkeypatch.setattr("nrdfer.reporting.sections.flatten", broken)
    page, counts = written(findings(tmp_path / "store"), tmp_path / "report")
    assert "The section settings could not be made" in page
    assert 'id="provenance"' in page and page.count("<figure") == 3
    assert any("settings" in one for one in counts["missing"])


@pytest.mark.parametrize("part", ["a fold", "afew from scratch"])
def test_a_report_of_what_there_is(part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("draw_attention", "draw_feature_map"):
        monkeypatch.setattr(captioned_figures, name, broken)  # takes longer
    found = replace(findings(tmp_path / "store"), cross_validation=None)
    if part == "a fold":
        found = replace(found, afew=None)
    else:
        profile = Profile.read({**PROFILE.written, "initial": {"afew": "none"}}, "profile own")
        found = replace(found, folds={}, dfew_shards=None, profile=profile)
    (tmp_path / "report").mkdir()
    counts = write_report(found, tmp_path / "report", {})
    page = html.unescape((tmp_path / "report" / PAGE).read_text())
    rows = [row[0] for row in closing_rows(read_results(tmp_path / "report"))[1:]]
    if part == "a fold":
        assert rows == ["DFEW fd1"] and "DFEW fd2, fd3, fd4, fd5 and AFEW" in page
        assert "Each fold separately" in page and "five folds, honest" not in page
        assert page.count("<figure") == 4  # recalls, calibration, gain, confusion
    else:
        assert rows == ["AFEW validation, from scratch"] and "Not evaluated with this profile: DFEW." in page
        assert "was trained from scratch" in page and 'id="attention"' not in page
        assert page.count("<figure") == 3 and "missing" not in counts  # recalls, calibration, confusion


def test_nothing_to_report_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing was evaluated with the profile 'own' yet"):
        find(PROFILE, Store(tmp_path), {}, None, None, None, {})


def test_damage_of_the_store_is_not_taken_for_a_picture_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object, **__: object) -> None:
        raise StoreError("a byte changed")

    monkeypatch.setattr(captioned_figures, "draw_confusions", damaged)
    found = findings(tmp_path / "store")
    (tmp_path / "report").mkdir()
    with pytest.raises(StoreError, match="a byte changed"):
        write_report(found, tmp_path / "report", {})
