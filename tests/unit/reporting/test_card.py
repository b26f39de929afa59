from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nrdfer.models.trained_files import HISTORY
from nrdfer.reporting.card import card_of, card_table
from nrdfer.reporting.render import csv_of, html_of, markdown_of
from nrdfer.store import Artifact


def of(war: float, uar: float, suffix: str = "") -> dict[str, Any]:
    """Metrics of both protocols; the best epoch has two points more."""
    return {
        p: {f"war{suffix}": war + more, f"uar{suffix}": uar + more} for p, more in (("honest", 0.0), ("paper", 0.02))
    }


def figures(*, rendered: bool = False) -> dict[str, Any]:
    whole = {p: {**of(0.6, 0.5, "_mean")[p], **of(0.61, 0.51, "_pooled")[p]} for p in ("honest", "paper")}
    return {"rendered": rendered, "folds": {"fd1": of(0.6, 0.5)}, "cross_validation": whole, "afew": of(0.4, 0.3)}


def evaluation(folder: Path) -> Artifact:
    rows = [{"epoch": epoch, "test_war": war} for epoch, war in ((1, 0.5), (2, 0.62), (3, 0.62), (4, 0.6))]
    (folder / HISTORY).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Artifact("dfew/fd1/evaluation", "ab" * 32, folder, {}, True)


def test_a_row_says_last_best_published_their_difference_and_where_every_epoch_is(tmp_path: Path) -> None:
    fold, mean, pooled, afew = card_of(figures(), {"fd1": evaluation(tmp_path)}, "nr-dfernet")
    assert (fold.war_last, fold.war_best, fold.uar_last, fold.uar_best) == pytest.approx((60, 62, 50, 52))
    assert fold.best_minus_last == pytest.approx((2, 2))
    assert (fold.epochs, fold.best_epoch) == (4, 2)  # the earliest of the best
    assert fold.log == f"dfew/fd1/evaluation/{'ab' * 32}/history.jsonl"
    assert fold.war_published is None and pooled.war_published is None
    assert (mean.war_published, mean.uar_published) == (68.19, 54.21)
    assert afew.war_published == 53.54
    text = markdown_of(card_table([fold, mean, pooled, afew]), comparable=True)
    assert (
        "WAR best - last" in text and "WAR published" in text and "+2.00" in text and fold.log in text.replace("\\", "")
    )
    assert len(csv_of(card_table([fold, mean]), comparable=True).splitlines()) == 3
    assert 'id="card"' in html_of(card_table([fold]), comparable=True)


@pytest.mark.parametrize(("rendered", "model"), [(True, "nr-dfernet"), (False, "c3d")])
def test_nothing_published_stands_beside_rendered_clips_or_another_network(rendered: bool, model: str) -> None:
    rows = card_of(figures(rendered=rendered), {}, model)
    assert all(row.war_published is None and row.log == "" and row.epochs is None for row in rows)
    assert "published" not in markdown_of(card_table(rows), comparable=not rendered)
