"""The report of a whole run: figures recomputed from the stored predictions, the page in a browser, MLflow's copy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from nrdfer.core.emotions import EMOTIONS
from nrdfer.models.snippet_filter import filter_logits, find_vetoes
from nrdfer.tracking.client import Tracking
from tests.browser.chromium import look_at
from tests.end_to_end.commands import inside

Reproduced = tuple[Path, dict[str, str], str]
LOGITS = [f"logit_{k}" for k in range(7)]
NEUTRAL = EMOTIONS.index("neutral")


@pytest.fixture(scope="module")
def report(reproduced: Reproduced) -> Path:
    (page,) = (reproduced[0] / ".nrdfer" / "store" / "report").glob("*/report.html")
    return page.parent


@pytest.fixture(scope="module")
def predictions(reproduced: Reproduced) -> dict[tuple[str, str], pd.DataFrame]:
    """(split, protocol) -> stored predictions."""
    found = {}
    for split, asset in {**{f"fd{k}": f"dfew/fd{k}" for k in range(1, 6)}, "afew": "afew"}.items():
        for protocol in ("honest", "paper"):
            folder = reproduced[0] / ".nrdfer" / "store" / asset / "evaluation"
            (path,) = folder.glob(f"*/predictions_{protocol}.parquet")
            found[split, protocol] = pd.read_parquet(path)
    return found


def tables(report: Path) -> pd.DataFrame:
    """The tables of figures; pairs and the card have columns of their own."""
    found = [path for path in sorted((report / "tables").glob("*.csv")) if not path.name.startswith(("pairs_", "card"))]
    return pd.concat([pd.read_csv(path) for path in found], ignore_index=True)


def reading(table: str, row: str) -> dict[str, Any]:
    """Settings of the filter that a row is about, from its label."""
    if table in ("table_1", "dfew", "afew"):
        return {"sf": row in ("h", "with the filter")}
    words = row.split()
    if table == "table_2":
        return {"sf": True, "stride": int(words[0][1:]), "width": int(words[1][1:])}
    if table == "filter_thresholds":
        return {"sf": True, "mu1": float(words[1]), "mu2": float(words[3])}
    return {"sf": True}


def answers(
    table: pd.DataFrame, *, sf: bool, width: int = 3, stride: int = 2, mu1: float = 0.7, mu2: float = 0.05
) -> list[str]:
    """The network's own filter, applied to the stored logits."""
    logits = torch.tensor(table[LOGITS].to_numpy(), dtype=torch.float64)
    if sf:
        bank = np.stack(table[f"snippets_{width}"].tolist()).reshape(len(table), -1, 7)[:, ::stride]
        vetoes = find_vetoes(torch.tensor(bank, dtype=torch.float64), mu1, mu2, NEUTRAL)
        logits = filter_logits(logits, vetoes, NEUTRAL)
    return [EMOTIONS[k] for k in logits.argmax(-1).tolist()]


def measured(measure: str, truth: list[str], told: list[str]) -> float:
    if measure == "WAR":
        return float(accuracy_score(truth, told))
    if measure == "UAR":
        return float(balanced_accuracy_score(truth, told))
    return float(recall_score(truth, told, labels=[measure], average=None, zero_division=np.nan)[0])


def test_scikit_learn_finds_every_printed_figure_in_the_stored_predictions(
    report: Path, predictions: dict[tuple[str, str], pd.DataFrame]
) -> None:
    printed = tables(report).dropna(subset=["value"])
    printed = printed[printed["measure"] != "GMACs"]
    assert {"dfew", "afew", "folds", "table_1", "table_2", "filter_thresholds"} <= set(printed["table"])
    assert len(printed) > 300
    for line in printed.itertuples():
        splits = ["afew"] if line.table in ("afew", "table_4") else [f"fd{k}" for k in range(1, 6)]
        if line.table == "folds":
            splits = [line.row]
        pairs = []
        for split in splits:
            table = predictions[split, line.protocol]
            pairs.append((table["emotion"].tolist(), answers(table, **reading(line.table, line.row))))
        if line.aggregate == "pooled":
            pairs = [tuple([label for pair in pairs for label in pair[i]] for i in (0, 1))]
        value = 100 * np.mean([measured(line.measure, *pair) for pair in pairs])
        assert value == pytest.approx(line.value, abs=1e-9), line


def test_nothing_rendered_is_compared(report: Path) -> None:
    found = tables(report)
    assert found["difference"].isna().all()
    assert found["published"].notna().sum() > 200
    page = (report / "report.html").read_text()
    assert "nothing here is comparable to the paper" in page
    assert "dagster job backfill -j table_3 --all --noprompt" in page
    assert "nrdfer run noise_benchmark" in page


def test_every_artefact_and_setting_is_told(report: Path) -> None:
    results = json.loads((report / "results.json").read_text())
    page, markdown = ((report / name).read_text() for name in ("report.html", "report.md"))
    assert len(results["artefacts"]) > 10
    for digest in results["artefacts"].values():
        assert digest in page and digest in markdown
    for setting in ("model_settings.temporal_depth", "engine.threads", "dfew_recipe.lr"):
        assert setting in page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_stands_in_a_browser_without_a_network(report: Path, width: int, tmp_path: Path) -> None:
    seen = look_at(report / "report.html", tmp_path, width)
    assert seen.complaints == []
    assert len(seen.pictures) >= 9
    assert "NR-DFERNet on DFEW, five folds" in seen.text


def test_mlflow_and_dagster_lead_to_it(reproduced: Reproduced, report: Path) -> None:
    with inside(reproduced):
        tracking = Tracking()
        found = [
            file.path
            for run in tracking.find(nrdfer__role="pipeline")
            for file in tracking.client.list_artifacts(run.info.run_id, "report")
        ]
    assert "report/report.html" in found
