from __future__ import annotations

from typing import Any

from nrdfer.stages.report import closing_rows, comparability

FOLD = {"honest": {"war": 0.8, "uar": 0.7}, "paper": {"war": 0.85, "uar": 0.75}}
RESULTS: dict[str, Any] = {
    "profile": "sample",
    "rendered": True,
    "folds": {"fd1": FOLD},
    "cross_validation": {
        protocol: {"war_mean": 0.61, "uar_mean": 0.62, "war_pooled": 0.63, "uar_pooled": 0.64}
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


def test_what_may_be_compared() -> None:
    assert "nothing here is comparable" in comparability(RESULTS)
    assert "11,697 of 12,059" in comparability({**RESULTS, "rendered": False})
