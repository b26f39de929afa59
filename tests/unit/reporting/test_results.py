from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.config.resolve import profile_of_shell
from nrdfer.core import paths
from nrdfer.evaluation.checkpoints import METRICS
from nrdfer.reporting.results import CROSS_VALIDATION, EVALUATIONS, ON_AFEW, closing_rows, comparability
from nrdfer.reporting.results import RESULTS as RESULTS_FILE
from nrdfer.store import Artifact, Store
from nrdfer.store.pointers import Pointers, made_with

RIGHT = (np.eye(7, dtype=int) * 9 + 1).tolist()
FOLD = {"honest": {"war": 0.8, "uar": 0.7}, "paper": {"war": 0.85, "uar": 0.75}}
RESULTS: dict[str, Any] = {
    "profile": "sample",
    "rendered": True,
    "folds": {"fd1": FOLD},
    "cross_validation": {
        protocol: {"war_mean": 0.61, "uar_mean": 0.62, "war_pooled": 0.63, "uar_pooled": 0.64, "confusion": RIGHT}
        for protocol in ("honest", "paper")
    },
    "afew": FOLD,
}


def test_both_protocols_and_both_ways_of_putting_folds_together() -> None:
    header, *rows = closing_rows(RESULTS)
    assert header == ["", "WAR honest", "UAR honest", "WAR paper", "UAR paper"]
    assert rows == [
        ["DFEW fd1", "80.00", "70.00", "85.00", "75.00"],
        ["DFEW mean of folds", "61.00", "62.00", "61.00", "62.00"],
        ["DFEW pooled", "63.00", "64.00", "63.00", "64.00"],
        ["AFEW validation", "80.00", "70.00", "85.00", "75.00"],
    ]


def test_what_was_not_evaluated_has_no_row_and_is_named() -> None:
    one = {**FOLD, "honest": {**FOLD["honest"], "confusion": RIGHT}}
    part = {"profile": "own", "rendered": True, "folds": {"fd3": one}}
    assert [row[0] for row in closing_rows(part)] == ["", "DFEW fd3"]
    told = comparability(part)
    assert told.startswith("Not evaluated: DFEW fd1, fd2, fd4, fd5 and AFEW. ") and "the test clips of fd3" in told
    alone = {"profile": "own", "rendered": False, "folds": {}, "afew": one, "afew_from_scratch": True}
    assert [row[0] for row in closing_rows(alone)] == ["", "AFEW validation, from scratch"]
    assert comparability(alone).startswith("Not evaluated: DFEW. ") and "11,697" not in comparability(alone)


def test_what_may_be_compared() -> None:
    assert "nothing here is comparable" in comparability(RESULTS)
    assert "has learned emotions of identities it has never seen" in comparability(RESULTS)
    assert "11,697 of 12,059" in comparability({**RESULTS, "rendered": False})


@pytest.mark.parametrize(
    ("confusion", "words"),
    [
        (np.ones((7, 7), int) * 5, "do not show that the network has learned"),  # 14.3 % exactly
        (np.full((7, 7), 4) + np.eye(7, dtype=int), "do not show"),  # a little more, by chance
        (np.array([[9] * 7] + [[0] * 7] * 6), "do not show"),  # a single emotion: whoever guesses has it right too
        (np.eye(7, dtype=int)[[1, 2, 3, 4, 5, 6, 0]] * 20, "worse than guessing"),
        (np.eye(7, dtype=int) * 20, "has learned emotions"),
    ],
)
def test_words_about_learning_follow_from_the_figures_and_their_interval(confusion: np.ndarray, words: str) -> None:
    whole = {"honest": {"confusion": confusion.tolist()}}
    assert words in comparability({**RESULTS, "cross_validation": whole})


def made(pointers: Pointers, asset: str, content: Mapping[str, Any], name: str = METRICS) -> Artifact:
    artifact = pointers.store.build(
        asset, code_version="1", config=dict(content), inputs={},
        build=lambda out: {"bytes": (out / name).write_text(json.dumps(content))},
    )  # fmt: skip
    pointers.set(asset, artifact)
    return artifact


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], dict[str, Artifact]]:
    """Pretends that everything was evaluated with the profile ``own``, at a WAR of everything."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NRDFER_PROFILES", str(tmp_path))
    monkeypatch.setenv("NRDFER_PROFILE", "own")
    (tmp_path / "own.yaml").write_text("name: own\ndescription: own\n")
    (tmp_path / "sample.yaml").write_text("name: sample\ndescription: other\n")

    def make(war: float) -> dict[str, Artifact]:
        pointers = made_with(profile_of_shell())
        fold = {protocol: {"war": war, "uar": war} for protocol in ("honest", "paper")}
        whole = {p: {**RESULTS["cross_validation"][p], "war_mean": war} for p in ("honest", "paper")}
        contents = {**dict.fromkeys([*EVALUATIONS.values(), ON_AFEW], fold), CROSS_VALIDATION: whole}
        return {asset: made(pointers, asset, content) for asset, content in contents.items()}

    return make


def test_results_of_one_fold_are_printed_without_a_report(evaluated: Callable[[float], dict[str, Artifact]]) -> None:
    pointers = made_with(profile_of_shell())
    fold = {p: {"war": 0.4, "uar": 0.3, "confusion": RIGHT} for p in ("honest", "paper")}
    made(pointers, EVALUATIONS["fd3"], fold)
    told = printed()
    assert "DFEW fd3" in told and "40.00" in told and "AFEW validation" not in told and "no report" in told


def write_report(evaluated: Mapping[str, Artifact], war: float) -> Artifact:
    profile = profile_of_shell()
    told = {
        **RESULTS,
        "afew": {p: {"war": war, "uar": war} for p in ("honest", "paper")},
        "profile": profile.name,
        "settings": profile.to_dict(),
        "artefacts": {asset: artifact.digest for asset, artifact in evaluated.items()},
    }
    reports = Pointers(Store(paths.store_root()), paths.home() / "reports")
    artifact = made(reports, "report", told, RESULTS_FILE)
    reports.set(profile.name, artifact)
    return artifact


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["results", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


def test_results_are_those_of_the_profile_that_the_shell_names(
    evaluated: Callable[[float], dict[str, Artifact]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(evaluated(0.5), 0.5)
    assert "profile own" in printed() and "50.00" in printed()
    assert "no results of profile 'sample' yet" in printed("--profile", "sample")
    monkeypatch.delenv("NRDFER_PROFILE")
    assert "no results of profile 'sample' yet" in printed()
    assert "profile own" in printed("--profile", "own")


def test_the_table_is_printed_where_no_report_was_made_of_it(
    evaluated: Callable[[float], dict[str, Artifact]], tmp_path: Path
) -> None:
    first = evaluated(0.5)
    assert "50.00" in printed() and "no report was made of them" in printed()
    report = write_report(first, 0.5)
    assert str(report.path / "report.html") in printed()
    evaluated(0.625)  # anew, and its report failed
    assert "62.50" in printed() and "its report is older" in printed()


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"folds": {"fd1": 3}}', b"\xff", b"[" * 100_000])
def test_a_damaged_report_does_not_cost_the_table(
    evaluated: Callable[[float], dict[str, Artifact]], damage: bytes
) -> None:
    report = write_report(evaluated(0.5), 0.5)
    (report.path / RESULTS_FILE).write_bytes(damage)
    assert "50.00" in printed()
