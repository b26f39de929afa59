"""Cells of CSV files: no formula, nothing changed when they are read back."""

import csv
import io

import pytest

from nrdfer.csv_cells import cell, original

FORMULAS = [
    "=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "'=1", "''-a", "-", "--5",
]  # fmt: skip
HARMLESS = ["", "a", "'", "'a", "''", "it's", "a=1", "0.5", "-0.5", "+3", "-1.5e-07", ".5", "5.", "straße", " a", "1-2"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_that_begins_like_a_formula_is_text(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("text", HARMLESS)
def test_other_cells_and_numbers_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


@pytest.mark.parametrize("value", [-0.5, -3, None, True, float("-inf")])
def test_values_that_are_no_text_stay_as_they_are(value: object) -> None:
    assert cell(value) is value


def test_reading_back_gives_what_was_written() -> None:
    texts = [*FORMULAS, *HARMLESS]
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell(text) for text in texts])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert [original(text) for text in row] == texts


def test_a_cell_with_bytes_that_are_no_text_can_be_encoded() -> None:
    assert cell("Stra\udcdfe").encode() == rb"Stra\xdfe"
