from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.reporting.figures.recall_bars import draw_recall_bars, recall_table, wilson
from tests.unit.reporting.figures.pictures import check_png


def table(right: int, wrong: int, emotions: tuple[str, ...] = EMOTIONS) -> pd.DataFrame:
    rows = [(e, e, "neutral") for e in emotions for _ in range(right)]
    rows += [(e, EMOTIONS[i - 1], e) for i, e in enumerate(emotions) for _ in range(wrong)]
    return pd.DataFrame(rows, columns=["emotion", "predicted", "predicted_unfiltered"])


def test_intervals_are_wilsons() -> None:
    hits, of = np.array([0, 3, 10, 77]), np.array([10, 9, 10, 100])
    bounds = [binomtest(int(k), int(n)).proportion_ci(0.95, "wilson") for k, n in zip(hits, of, strict=True)]
    low, high = wilson(hits, of)
    assert low == pytest.approx([bound.low for bound in bounds], abs=1e-9)
    assert high == pytest.approx([bound.high for bound in bounds], abs=1e-9)


def test_recalls_are_percent_with_and_without_the_filter() -> None:
    found = recall_table(table(3, 1), EMOTIONS)
    assert list(found.index) == list(EMOTIONS)
    assert found["recall"].tolist() == [75.0] * 7
    assert found.loc["anger", "without_filter"] == 25.0
    assert found.loc["neutral", "without_filter"] == 100.0
    assert found["clips"].tolist() == [4] * 7
    assert (found["low"] < 75).all() and (found["high"] > 75).all()


def test_an_emotion_without_clips_has_no_recall_and_is_drawn(tmp_path: Path) -> None:
    found = draw_recall_bars({"honest": table(2, 1, EMOTIONS[:5])}, EMOTIONS, tmp_path / "recalls.png")["honest"]
    assert found["recall"].isna().tolist() == [False] * 5 + [True] * 2
    assert found["clips"].tolist() == [3] * 5 + [0] * 2
    check_png(tmp_path / "recalls.png", 5.4)


def test_published_recalls_are_drawn_where_given(tmp_path: Path) -> None:
    tables = {"honest": table(3, 1), "paper": table(4, 1)}
    draw_recall_bars(tables, EMOTIONS, tmp_path / "without.png")
    draw_recall_bars(tables, EMOTIONS, tmp_path / "with.png", published={"fear": 19.43, "disgust": 0.0})
    without, drawn = (check_png(tmp_path / f"{name}.png", 5.4) for name in ("without", "with"))
    assert (without != drawn).any()


def test_no_table_and_too_many_are_errors(tmp_path: Path) -> None:
    for names in ("", "abcde"):
        with pytest.raises(ValueError, match="can be drawn"):
            draw_recall_bars(dict.fromkeys(names, table(1, 1)), EMOTIONS, tmp_path / "recalls.png")


def test_whiskers_have_a_length_for_every_table_of_counts() -> None:
    """Of every number of clips up to 200, and of every number of them that are right."""
    totals = np.repeat(np.arange(1, 201), np.arange(2, 202))
    hits = np.concatenate([np.arange(total + 1) for total in range(1, 201)])
    low, high = (100 * bound for bound in wilson(hits, totals))
    recall = 100 * (hits / totals)
    assert (recall - low >= 0).all() and (high - recall >= 0).all()
    assert (low >= 0).all() and (high <= 100).all()


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=7, max_size=7).filter(
        lambda c: any(map(any, c))
    )
)
@settings(max_examples=15, deadline=None)
def test_any_table_of_counts_is_drawn(counts: list[tuple[int, int]]) -> None:
    rows = [
        (emotion, emotion if right else EMOTIONS[i - 1], emotion)
        for i, (emotion, (hits, misses)) in enumerate(zip(EMOTIONS, counts, strict=True))
        for right in [True] * hits + [False] * misses
    ]
    predictions = pd.DataFrame(rows, columns=["emotion", "predicted", "predicted_unfiltered"])
    with tempfile.TemporaryDirectory() as folder:
        found = draw_recall_bars({"honest": predictions}, EMOTIONS, Path(folder) / "recalls.png")["honest"]
    assert found["clips"].tolist() == [sum(pair) for pair in counts]


def test_a_recall_of_exactly_0_or_1_is_drawn(tmp_path: Path) -> None:
    """By rounding, Wilson's bound of such a recall lay beyond the recall itself; bars of negative length are errors."""
    totals = np.repeat(np.arange(1, 1200), 2)
    correct = np.where(np.arange(len(totals)) % 2, totals, 0)
    low, high = wilson(correct, totals)
    share = correct / totals
    assert ((low >= 0) & (low <= share) & (share <= high) & (high <= 1)).all()
    assert (100 * share - 100 * low >= 0).all() and (100 * high - 100 * share >= 0).all()
    for right, wrong in ((0, 10), (29, 0), (0, 37), (77, 0)):
        draw_recall_bars(
            {"honest": table(right, wrong), "paper": table(right, wrong)}, EMOTIONS, tmp_path / "recalls.png"
        )
