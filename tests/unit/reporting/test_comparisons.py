from __future__ import annotations

import pytest

from nrdfer.core.optional_output import Missing
from nrdfer.evaluation.result_table import MEAN, WAR, Figure, RepeatedFigure, ResultTable, Row
from nrdfer.reporting.comparison_table import likelihood_table, p_text
from nrdfer.reporting.comparisons import comparisons_section
from nrdfer.reporting.render import csv_of, markdown_of


def table(figure: Figure) -> ResultTable:
    row = Row("h", {}, (figure,), {WAR: 68.19})
    return ResultTable("table_1", "Components", "", "", (), (WAR,), (MEAN,), (row,))


def repeated(*values: float) -> ResultTable:
    return table(RepeatedFigure(WAR, "paper", MEAN, sum(values) / len(values), values=values))


def test_a_published_figure_is_judged_from_three_seeds_on() -> None:
    found = likelihood_table([repeated(67.0, 67.5, 68.0)])
    assert found is not None
    assert "| Table 1, h: WAR | 68.19 | 67.50 (sd 0.50) | 3 | +1.38 | 0.355 |" in markdown_of(found, comparable=True)
    assert csv_of(found, comparable=True).splitlines()[1].startswith("table_1,h,WAR,68.19,67.5,0.5,3,1.38,0.354")


def test_with_fewer_it_cannot_be_said() -> None:
    found = likelihood_table([repeated(67.0, 67.5)])
    assert found is not None
    assert "cannot be said" in markdown_of(found, comparable=True)
    assert likelihood_table([table(Figure(WAR, "paper", MEAN, 67.0))]) is None
    lead = comparisons_section([], [], 1, comparable=True).lead
    assert "cannot be said with one training of each cell: it takes 3" in lead


def test_rendered_clips_are_not_compared_with_published_figures() -> None:
    section = comparisons_section([], [repeated(1.0, 2.0, 3.0)], 3, comparable=False)
    assert section.tables == () and "published" not in section.lead
    assert section.open


def test_pairs_that_cannot_be_read_are_said() -> None:
    missing = Missing("The comparison of table_1's pairs", "damaged")
    assert comparisons_section([missing], [], 1, comparable=False).missing == (missing,)


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0123, "0.012"), (1.0, "1.000")])
def test_p_values_have_three_digits(p: float, text: str) -> None:
    assert p_text(p) == text
