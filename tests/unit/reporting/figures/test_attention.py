from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from nrdfer.plotting.style import BLUE, VERMILLION
from nrdfer.reporting.figures.attention import AttentionRow, attention_rows, draw_attention
from nrdfer.reporting.figures.planted_noise import attention_on_noise
from tests.unit.reporting.figures.pictures import check_png, share_of

WIDTH, FRAMES = 7.4, 6
NOISE = {"a": ["none", "n1_noface", "n1_person", "n2_neutral", "none", "none"], "b": ["none"] * FRAMES}


def frames_of(clip_id: str, indices: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Frame i of any clip is of one grey."""
    assert clip_id in NOISE
    return np.stack([np.full((8, 8, 3), 60 + 20 * i, np.uint8) for i in indices])


def table(weights: Sequence[float], frames: Sequence[int] = range(FRAMES)) -> pd.DataFrame:
    rows = [(clip, "fear", list(frames), list(weights)) for clip in NOISE]
    return pd.DataFrame(rows, columns=["clip_id", "emotion", "frames", "attention"])


DYNAMIC, LEARNED = table([0.3, 0.05, 0.05, 0.3, 0.3]), table([0.2] * 5)


def test_rows_hold_the_frame_of_each_feature_and_both_attentions() -> None:
    (row,) = attention_rows(["a"], frames_of, dynamic=DYNAMIC, learned=LEARNED, noise=NOISE)
    assert row.pictures_PHWC[:, 0, 0, 0].tolist() == [60, 80, 100, 120, 140]
    assert row.noise == NOISE["a"][:5]
    assert row.weights == {"learned token": [0.2] * 5, "dynamic token": [0.3, 0.05, 0.05, 0.3, 0.3]}
    assert row.emotion == "fear"


def test_frames_are_those_that_were_shown_in_their_order() -> None:
    shown = table([0.5, 0.3, 0.2], [4, 1, 1, 5])
    (row,) = attention_rows(["a"], frames_of, dynamic=shown, noise=NOISE)
    assert row.pictures_PHWC[:, 0, 0, 0].tolist() == [140, 80, 80]
    assert row.noise == ["none", "n1_noface", "n1_noface"]
    assert list(row.weights) == ["dynamic token"]


def test_noise_is_marked_and_a_clip_without_it_is_plain(tmp_path: Path) -> None:
    noisy, plain = attention_rows(["a", "b"], frames_of, dynamic=DYNAMIC, learned=LEARNED, noise=NOISE)
    (real,) = attention_rows(["a"], frames_of, dynamic=DYNAMIC, learned=LEARNED)
    for row, name in ((noisy, "noisy"), (plain, "plain"), (real, "real")):
        draw_attention([row], tmp_path / f"{name}.png")
    marked = check_png(tmp_path / "noisy.png", WIDTH)
    assert share_of(marked, VERMILLION) > 0.01
    assert share_of(marked, BLUE) > 0.002
    unmarked = check_png(tmp_path / "real.png", WIDTH)
    assert share_of(unmarked, VERMILLION) == share_of(unmarked, BLUE) == 0
    legend_only = share_of(check_png(tmp_path / "plain.png", WIDTH), VERMILLION)
    assert legend_only < share_of(marked, VERMILLION) / 4


def test_a_missing_token_is_one_row_of_bars_less(tmp_path: Path) -> None:
    heights = {}
    for name, tables in (("both", (DYNAMIC, LEARNED)), ("dynamic", (DYNAMIC, None)), ("learned", (None, LEARNED))):
        rows = attention_rows(["a", "b"], frames_of, dynamic=tables[0], learned=tables[1], noise=NOISE)
        draw_attention(rows, tmp_path / f"{name}.png", overall=attention_on_noise(DYNAMIC, NOISE))
        heights[name] = check_png(tmp_path / f"{name}.png", WIDTH).shape[0]
    assert heights["dynamic"] == heights["learned"] < heights["both"]


def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no predictions"):
        attention_rows(["a"], frames_of)
    with pytest.raises(ValueError, match="saw different frames"):
        attention_rows(["a"], frames_of, dynamic=DYNAMIC, learned=table([0.2] * 5, [0, 1, 2, 3, 5, 5]))
    with pytest.raises(ValueError, match="no attention of the learned token"):
        attention_rows(["a"], frames_of, dynamic=DYNAMIC, learned=table([]))
    with pytest.raises(ValueError, match="clip nowhere"):
        attention_rows(["nowhere"], frames_of, dynamic=DYNAMIC)
    pictures = frames_of("a", range(5))
    for noise, weights in (((), None), (("none",), [0.2] * 5), ((), [0.5, 0.5])):
        with pytest.raises(ValueError, match="clip a: 5 frames"):
            AttentionRow("a", "fear", pictures, noise, dynamic=weights)
    with pytest.raises(ValueError, match="no clip"):
        draw_attention([], tmp_path / "none.png")
