"""Cells of CSV files: no formula, nothing changed when they are read back."""

import csv
import io

import pytest

from nrdfer.core.csv_cells import cell, original

FORMULAS = [
    "=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(A1)", "\ta", "\ra", "\na", "  =1", "＝1", "'=1", "''-a", "-", "--5",
]  # fmt: skip
HARMLESS = ["", "a", "'", "'a", "''", "it's", "a=1", "0.5", "-0.5", "+3", "-1.5e-07", ".5", "5.", "straße", " a", "1-2"]
#: With a formula where a cell begins if cells end at a semicolon, a tab or a line's end -> as it is written.
INSIDE = {
    "x;=HYPERLINK(A1);.mp4": "x;'=HYPERLINK(A1);.mp4",
    "x\t=1+1.mp4": "x\t'=1+1.mp4",
    "x\n@SUM(A1)": "x\n'@SUM(A1)",
    'x;"=1"': 'x;\'"=1"',
    "x; \t＝1": "x;' \t'＝1",
    "x;'=1": "x;''=1",
    "=1;=2": "'=1;'=2",
    "\t=1": "'\t'=1",
    "  \n=1": "'  \n'=1",
}
HARMLESS += ["a; b", "a;b=1", "x;", "a, -1", "a;'", "10\u00a0%; 3 of 4"]


@pytest.mark.parametrize(("text", "written"), INSIDE.items())
def test_no_formula_begins_within_a_cell(text: str, written: str) -> None:
    assert cell(text) == written
    for before in ([], ["clip"]):  # a quote counts at the beginning of a line only
        file = io.StringIO(newline="")
        csv.writer(file).writerow([*before, cell(text), "ok"])
        for separator in ";\t,":
            for row in csv.reader(io.StringIO(file.getvalue(), newline=""), delimiter=separator):
                assert not [part for part in row if part.lstrip().startswith(tuple("=+-@＝"))], row


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
    texts = [*FORMULAS, *HARMLESS, *INSIDE, *INSIDE.values()]
    file = io.StringIO(newline="")
    csv.writer(file).writerow([cell(text) for text in texts])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert [original(text) for text in row] == texts


def test_a_cell_with_bytes_that_are_no_text_can_be_encoded() -> None:
    assert cell("Stra\udcdfe").encode() == rb"Stra\xdfe"
