"""A table of results as CSV, Markdown and HTML: every figure is there, and nothing is compared that may not be."""

from __future__ import annotations

import csv
import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nrdfer.evaluation.result_table import MEAN, POOLED, UAR, WAR, Figure, ResultTable, Row
from nrdfer.reporting.render import CSV_HEADER, csv_of, heading, html_of, markdown_of
from nrdfer.reporting.table_layout import NO_COMPARISON, compare, grids, number
from tests.unit.reporting.made_up import components, rivals, thresholds

HOSTILE = "<b>\"x\" & 'y'</b> | *z* _w_ `v` [u](t) \\ #1"


def rows_of(table: ResultTable, *, comparable: bool = True) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(table, comparable=comparable))))


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Cells of every Markdown table, without the line below the header."""
    found = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    cells = [[re.split(r" (?<!\\)\| ", line.strip()[2:-2]) for line in table.splitlines()] for table in found]
    return [[table[0], *table[2:]] for table in cells]


class Cells(HTMLParser):
    """The tables of a fragment: the text of every cell that is no heading, row by row, and what the cells are."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.cells: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(fragment)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "wbr":
            return
        self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.cells.append((tag, dict(attrs)))
            if tag == "td":
                self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "td" in self.open:
            row = self.tables[-1][-1]
            row[-1] = " ".join(f"{row[-1]} {data}".split())


def test_a_reproduction_is_marked_where_figures_are_comparable_and_nowhere_else() -> None:
    table = components()
    table = replace(table, rows=(replace(table.rows[0], reproduction=True), *table.rows[1:]))
    for text in (markdown_of, html_of):
        assert str(text(table, comparable=True)).count("reproduction") == 1
        assert "reproduction" not in text(table, comparable=False)


def test_csv_has_every_figure_unrounded_and_the_comparison_once() -> None:
    table = components()
    lines = rows_of(table)
    told = {(x["row"], x["measure"], x["protocol"], x["aggregate"]): x for x in lines}
    assert len(told) == len(lines) == 7 * 2 * 4 + 2
    for row in table.rows[:7]:
        for figure in row.figures:
            line = told[row.label, figure.measure, figure.protocol, figure.aggregate]
            assert float(line["value"]) == pytest.approx(figure.value, abs=1e-10)
            assert float(line["low"]) == pytest.approx(figure.low, abs=1e-10)
            assert float(line["high"]) == pytest.approx(figure.high, abs=1e-10)
            compared = (figure.protocol, figure.aggregate) == ("paper", MEAN)
            assert (line["published"] != "") is (line["difference"] != "") is compared
    assert told["b", UAR, "paper", MEAN]["difference"] == "0.127"
    assert told["a", WAR, "paper", MEAN]["published"] == "63.52"


def test_csv_keeps_the_published_figure_of_what_was_not_measured() -> None:
    lines = [line for line in rows_of(components()) if line["row"] == "h"]
    assert [(x["measure"], x["published"], x["value"], x["protocol"]) for x in lines] == [
        (UAR, "54.21", "", ""),
        (WAR, "68.19", "", ""),
    ]


def test_csv_of_what_is_not_comparable_has_no_difference() -> None:
    lines = rows_of(rivals(), comparable=False)
    assert lines and all(line["difference"] == "" for line in lines)
    assert sum(line["published"] != "" for line in lines) == 15 * 10 - 1
    assert list(lines[0]) == list(CSV_HEADER)


def test_costs_know_no_protocol_and_are_compared() -> None:
    (line,) = [x for x in rows_of(rivals()) if x["row"] == "NR-DFERNet DS" and x["measure"] == "GMACs"]
    assert (line["protocol"], line["aggregate"], line["value"], line["difference"]) == ("", "", "6.334", "0.004")


def test_the_paper_protocol_over_the_first_aggregate_is_compared() -> None:
    table, row = components(), components().rows[1]
    assert compare(table, row, UAR, comparable=True).difference == pytest.approx(0.127)
    pooled_first = replace(table, aggregates=(POOLED, MEAN))
    assert compare(pooled_first, row, UAR, comparable=True).difference == pytest.approx(0.127 - 0.25)
    assert compare(table, row, UAR, comparable=False).difference is None
    assert compare(table, row, UAR, comparable=False).published == 50.79


def test_markdown_shows_each_figure_beside_the_published_one() -> None:
    main, pooled = markdown_tables(markdown_of(components(), comparable=True))
    assert main[0][4:8] == ["UAR published", "UAR ours, paper protocol", "UAR difference", "UAR ours, honest"]
    assert main[2] == [
        *("b", "", "", "yes"),
        *("50.79", "50.92 (49.71–52.26)", "+0.13", "49.42 (48.21–50.76)"),
        *("63.85", "63.98 (62.77–65.32)", "+0.13", "62.48 (61.27–63.82)"),
    ]
    assert main[8] == ["h", "yes", "yes", "yes", "54.21", "–", "–", "–", "68.19", "–", "–", "–"]
    assert pooled[1] == ["a", "ours, paper protocol", "49.51 (48.30–50.85)", "62.81 (61.60–64.15)"]
    assert all(len(row) == len(table[0]) for table in (main, pooled) for row in table)


def test_what_is_missing_is_said_with_its_command() -> None:
    text = markdown_of(components(), comparable=True)
    assert "- g: 2 of 5 folds\n- h: not run\n" in text
    assert "\n    nrdfer experiments run table\\_1" not in text
    assert "\n    nrdfer experiments run table_1\n" in text
    fragment = str(html_of(components(), comparable=True))
    assert '<span class="state">2 of 5 folds</span>' in fragment
    assert "<pre><code>nrdfer experiments run table_1</code></pre>" in fragment
    assert "What is missing" not in html_of(thresholds(), comparable=True)


@pytest.mark.parametrize("table", [components(), rivals()], ids=lambda table: table.name)
def test_what_is_not_comparable_has_a_sentence_and_no_differences(table: ResultTable) -> None:
    text, fragment = markdown_of(table, comparable=False), str(html_of(table, comparable=False))
    for said in (text, fragment):
        assert said.count(NO_COMPARISON) == 1
        assert ">difference" not in said and " difference |" not in said
        assert "+0.1" not in said and "−" not in said
        assert "54.21" in said  # the published figure is still there
    assert NO_COMPARISON not in markdown_of(table, comparable=True)
    assert NO_COMPARISON not in html_of(table, comparable=True)


@pytest.mark.parametrize("comparable", [True, False])
@pytest.mark.parametrize("table", [components(), rivals(), thresholds()], ids=lambda table: table.name)
def test_html_says_the_same_as_markdown(table: ResultTable, comparable: bool) -> None:
    fragment = Cells(str(html_of(table, comparable=comparable)))
    assert not fragment.open
    shown = [[row for row in cells if row] for cells in fragment.tables]
    told = [cells[1:] for cells in markdown_tables(markdown_of(table, comparable=comparable))]
    assert [[figures_in(row) for row in cells] for cells in shown] == [
        [figures_in(row[1:]) for row in cells] for cells in told
    ]
    assert sum(len(figures_in(row)) for cells in shown for row in cells) > 50


def figures_in(row: list[str]) -> list[str]:
    return re.findall(r"[+−]?\d+\.\d\d|–(?!\d)", " ".join(row))


def test_recalls_have_a_table_of_their_own() -> None:
    main, recalls, pooled = grids(rivals(), comparable=True)
    assert [group.title for group in main.groups] == [UAR, WAR, "GMACs"]
    assert [len(group.columns) for group in main.groups] == [4, 4, 3]
    assert len(recalls.groups) == 7 and not recalls.secondary and pooled.secondary
    unmeasured, measured = recalls.blocks[0], recalls.blocks[1]
    assert (unmeasured.label, unmeasured.state, len(unmeasured.lines)) == ("C3D TI", "not run", 1)
    assert [line.name for line in measured.lines] == ["published", "ours, paper protocol", "difference", "ours, honest"]
    assert measured.lines[0].cells[5].text == "0.69"
    assert measured.lines[2].cells[0].text == "−4.48"


def test_labels_are_not_repeated_in_columns() -> None:
    assert [group.title for group in grids(components(), comparable=True)[0].groups] == ["DSF", "DCT", "SF", UAR, WAR]
    assert grids(rivals(), comparable=True)[0].corner == "Method · Sampling"
    unlike = ResultTable("t", "t", "", "", ("S", "L"), (UAR,), (MEAN,), (Row("S2 L3", {"S": "2", "L": "4"}),))
    assert [group.title for group in grids(unlike, comparable=True)[0].groups] == ["L", UAR]


def test_a_table_that_was_not_published_has_no_published_columns() -> None:
    main, *_ = grids(thresholds(), comparable=True)
    assert [group.columns for group in main.groups] == [("ours, paper protocol", "ours, honest")] * 2


def test_cells_of_a_table_are_headed() -> None:
    """Every heading says what it heads, and no row has more or fewer cells than there are columns."""
    for table in (components(), rivals(), thresholds()):
        fragment = Cells(str(html_of(table, comparable=True)))
        headings = [attributes for tag, attributes in fragment.cells if tag == "th"]
        assert headings and all(h.get("scope") in ("col", "colgroup", "row", "rowgroup") for h in headings)
    grid = grids(rivals(), comparable=True)[0]
    columns = sum(len(group.columns) or 1 for group in grid.groups)
    assert {len(line.cells) for block in grid.blocks for line in block.lines} == {columns}


def hostile() -> ResultTable:
    figure = Figure(UAR, "paper", MEAN, 50.0)
    row = Row(HOSTILE, {HOSTILE: f"{HOSTILE} more"}, (figure,), {UAR: 49.0}, HOSTILE, HOSTILE)
    return ResultTable("t", HOSTILE, HOSTILE, "run '<x>' & y", (HOSTILE,), (UAR,), (MEAN,), (row,))


def test_html_escapes_every_word() -> None:
    fragment = str(html_of(hostile(), comparable=True))
    assert "<b>" not in fragment and "</b>" not in fragment
    assert fragment.count("&lt;b&gt;") == fragment.count("&lt;/b&gt;") >= 5
    assert HOSTILE in html.unescape(fragment)
    assert "run &#39;&lt;x&gt;&#39; &amp; y" in fragment
    assert not Cells(fragment).open


def test_markdown_escapes_every_word() -> None:
    text = markdown_of(hostile(), comparable=True)
    assert not re.search(r"(?<!\\)[<*`\[]", text.replace("run '<x>' & y", ""))
    assert re.search(r"\\\| \\\*z\\\* \\_w\\_ \\`v\\` \\\[u\\\]", text)
    (table,) = markdown_tables(text)
    assert [len(row) for row in table] == [6, 6]  # a stroke in a word opens no column


def test_csv_gives_words_back_as_they_were() -> None:
    (line,) = rows_of(replace(hostile(), name='a,"b"\n'))
    assert (line["table"], line["row"]) == ('a,"b"\n', HOSTILE)


@pytest.mark.parametrize(
    ("value", "plain", "signed"),
    [
        (54.2149, "54.21", "+54.21"),
        (-1.3, "−1.30", "−1.30"),
        (-0.004, "0.00", "0.00"),
        (0.0, "0.00", "0.00"),
        (100.0, "100.00", "+100.00"),
        (None, "–", "–"),
    ],
)
def test_numbers(value: float | None, plain: str, signed: str) -> None:
    assert (number(value), number(value, signed=True)) == (plain, signed)


def test_headings() -> None:
    assert heading(components()) == "Table 1. Evaluation of each component"
    assert heading(thresholds()) == "Thresholds of the filter"
