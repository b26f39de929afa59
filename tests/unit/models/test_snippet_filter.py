from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nrdfer.core.emotions import EMOTIONS
from nrdfer.models.snippet_filter import (
    filter_logits,
    filter_probabilities,
    find_vetoes,
    snippet_starts,
    snippet_windows,
)

NEUTRAL = EMOTIONS.index("neutral")


def _with_probabilities(p: list[float]) -> torch.Tensor:
    return torch.tensor([[p]], dtype=torch.float64).log()


def test_equality_vetoes_nothing() -> None:
    # Powers of two, so that the softmax gives exactly these probabilities.
    snippet = _with_probabilities([0.5, 0.125, 0.0625, 0.125, 0.0625, 0.0625, 0.0625])
    p = snippet.softmax(-1)[0, 0]
    top, neutral = float(p.max()), float(p[NEUTRAL])
    above, below = np.nextafter(top, 1), np.nextafter(top, 0)
    wider = np.nextafter(neutral, 1)
    assert find_vetoes(snippet, mu1=float(below), mu2=float(wider), neutral=NEUTRAL).tolist() == [True]
    assert find_vetoes(snippet, mu1=top, mu2=float(wider), neutral=NEUTRAL).tolist() == [False]
    assert find_vetoes(snippet, mu1=float(above), mu2=float(wider), neutral=NEUTRAL).tolist() == [False]
    assert find_vetoes(snippet, mu1=float(below), mu2=neutral, neutral=NEUTRAL).tolist() == [False]


def test_one_clear_snippet_is_enough_and_a_clearly_neutral_one_is_none() -> None:
    sequence = torch.zeros(2, 7)
    sequence[:, NEUTRAL] = 3.0
    unsure, joy, neutral = torch.zeros(7), torch.zeros(7), torch.zeros(7)
    joy[0], neutral[NEUTRAL] = 9.0, 9.0
    snippets = torch.stack([torch.stack([neutral, unsure, joy]), torch.stack([neutral, unsure, neutral])])
    filtered = filter_logits(sequence, find_vetoes(snippets, 0.7, 0.05, NEUTRAL), NEUTRAL)
    assert filtered[0, NEUTRAL] == float("-inf")
    torch.testing.assert_close(filtered[1], sequence[1])
    assert filtered.argmax(-1)[0] != NEUTRAL
    assert filtered.argmax(-1)[1] == NEUTRAL
    assert sequence[0, NEUTRAL] == 3.0  # the input is left alone


def test_both_conditions_must_hold_in_the_same_snippet() -> None:
    clear = _with_probabilities([0.8, 0.02, 0.1, 0.02, 0.02, 0.02, 0.02])  # neutral .1: too high
    calm = _with_probabilities([0.3, 0.3, 0.01, 0.3, 0.03, 0.03, 0.03])  # maximum .3: too low
    assert find_vetoes(torch.cat([clear, calm], dim=1), 0.7, 0.05, neutral=NEUTRAL).tolist() == [False]


@given(length=st.integers(1, 64), width=st.integers(1, 64), stride=st.integers(1, 9))
def test_equation_6_counts_the_snippets(length: int, width: int, stride: int) -> None:
    if width > length:
        with pytest.raises(ValueError, match="do not fit"):
            snippet_starts(length, width, stride)
        return
    starts = snippet_starts(length, width, stride)
    assert len(starts) == (length - width) // stride + 1
    assert starts[-1] + width <= length


@pytest.mark.parametrize(
    ("stride", "width", "frames", "pairs"),
    [(1, 3, 14, 13), (2, 3, 7, 7), (3, 3, 5, 5), (1, 6, 11, 10), (2, 6, 6, 5), (3, 6, 4, 4)],
)
def test_snippets_of_table_2_under_both_readings(stride: int, width: int, frames: int, pairs: int) -> None:
    by_frame = snippet_windows(16, width, stride, "frame")
    by_pair = snippet_windows(16, width, stride, "pair")
    assert (len(by_frame), len(by_pair)) == (frames, pairs)
    assert {len(window) for window in by_frame} == {width - 1}
    assert {len(window) for window in by_pair} == {width}
    assert max(by_frame[-1][-1], by_pair[-1][-1]) <= 14


def test_a_snippet_of_one_frame_has_no_feature() -> None:
    with pytest.raises(ValueError, match="no pair"):
        snippet_windows(16, 1, 1, "frame")


def test_without_snippets_nothing_is_vetoed() -> None:
    assert find_vetoes(torch.zeros(2, 0, 7), 0.1, 0.9, neutral=NEUTRAL).tolist() == [False, False]


def test_an_unknown_output_is_refused() -> None:
    with pytest.raises(ValueError, match="renormalised"):
        filter_probabilities(torch.zeros(1, 7), torch.tensor([True]), NEUTRAL, "dropped")
