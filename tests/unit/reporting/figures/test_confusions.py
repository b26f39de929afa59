from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.reporting.figures.confusions import NeutralCounts, draw_confusions, neutral_counts
from tests.unit.reporting.figures.pictures import check_png

# emotion, without the filter, with it, how many
KINDS = (
    ("happiness", "neutral", "happiness", 5),  # corrected
    ("fear", "neutral", "sadness", 3),  # taken out, still wrong
    ("anger", "neutral", "neutral", 4),  # stays
    ("anger", "anger", "anger", 20),
    ("surprise", "fear", "fear", 2),  # wrong, but not by neutral
    ("neutral", "neutral", "neutral", 30),
    ("neutral", "neutral", "sadness", 6),  # lost
    ("neutral", "anger", "anger", 1),
)
TABLE = pd.DataFrame(
    [kind[:3] for kind in KINDS for _ in range(kind[3])], columns=["emotion", "predicted_unfiltered", "predicted"]
)


def test_clips_are_counted_by_what_the_filter_does(tmp_path: Path) -> None:
    counts = draw_confusions(TABLE, EMOTIONS, tmp_path / "confusions.png")
    assert counts == neutral_counts(TABLE, "neutral") == NeutralCounts(37, 34, 12, 4, 5, 36, 30)
    assert counts.taken_out == 8
    assert counts.neutral_lost == 6
    check_png(tmp_path / "confusions.png", 7.0, 5.75)


def test_a_table_without_neutral_clips_is_drawn(tmp_path: Path) -> None:
    counts = draw_confusions(TABLE[TABLE["emotion"] == "anger"], EMOTIONS, tmp_path / "confusions.png")
    assert (counts.neutral, counts.neutral_lost, counts.called_neutral_after) == (0, 0, 4)
    check_png(tmp_path / "confusions.png", 7.0)


def test_no_clip_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        draw_confusions(TABLE[:0], EMOTIONS, tmp_path / "confusions.png")
