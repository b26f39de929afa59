"""Letters beyond ASCII are drawn as letters, at their place, and never beyond the picture."""

from __future__ import annotations

import numpy as np
import pytest

from nrdfer.plotting.lettering import extent, write, write_within


def drawn(text: str) -> np.ndarray:
    picture = np.full((40, 300, 3), 255, np.uint8)
    write(picture, text, (10, 30), 20, (0, 0, 0))
    return picture


@pytest.mark.parametrize("text", ["fröhlich", "Überraschung", "радость", "χαρά"])
def test_letters_are_not_question_marks(text: str) -> None:
    assert (drawn(text) != drawn("?" * len(text))).any()
    assert (drawn(text) != drawn(text[::-1])).any()
    dark = np.flatnonzero((drawn(text) < 128).any((0, 2)))
    wide, high, low = extent(text, 20)
    assert dark.min() >= 8 and dark.max() <= 10 + wide + 1
    assert 8 < high < 30 and 0 <= low < 12


def test_what_is_outside_is_cut_off() -> None:
    picture = np.zeros((10, 20, 3), np.uint8)
    for at in ((-500, 5), (5, -50), (15, 8), (500, 500)):
        write(picture, "wide letters", at, 20, (255, 255, 255))
    write(picture, "", (2, 5), 20, (255, 255, 255))
    assert picture.shape == (10, 20, 3)


def test_a_long_line_becomes_smaller_and_keeps_its_words() -> None:
    picture = np.full((40, 100, 3), 255, np.uint8)
    write_within(picture, "a line that is far too long", (0, 20), 100, 20, (0, 0, 0))
    assert (picture[:, -12:] < 200).any()
