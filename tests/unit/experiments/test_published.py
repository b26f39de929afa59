"""The paper's figures: every one of the file stands in the paper, every one of the paper's tables is in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.published import DFEW_CLIPS, DFEW_EMOTIONS
from nrdfer.experiments.published import HEADER, TABLES, published, read

PROJECT = Path(__file__).resolve().parents[3]
PAPER = PROJECT.parent / "shared" / "paper" / "nr-dfernet.txt"
#: Columns of figures as each table prints them, left to right.
PRINTED = {
    "1": ("UAR", "WAR"),
    "2": ("UAR", "WAR"),
    "3": ("UAR", "WAR", "GMACs"),
    "4": ("UAR", "WAR", "GMACs"),
    "5": (*EMOTIONS, "UAR", "WAR", "GMACs"),
}
FIGURE = r"(?:n/a|\d+\.\d\d)"


@pytest.fixture(scope="module")
def paper() -> str:
    if not PAPER.is_file():
        pytest.skip(f"the paper's text is not shipped with the project and {PAPER} does not exist")
    return PAPER.read_text(encoding="utf-8")


def printed(paper: str, table: str) -> Iterator[tuple[str, dict[str, float]]]:
    """The rows of one table of the text: what stands before the figures, and the figures."""
    columns = PRINTED[table]
    lines = paper[paper.index(f"\nTable {table}. ") + 1 :].splitlines()
    for line in lines[1:]:
        if not line.strip() or re.match(r"Table \d\. ", line):
            return
        if found := re.fullmatch(rf"(.*?)((?: {FIGURE}){{{len(columns)}}})", line):
            cells = zip(columns, found[2].split(), strict=True)
            yield found[1], {column: float(cell) for column, cell in cells if cell != "n/a"}
        else:
            assert not re.search(r"\d\.\d\d", line), f"figures were overlooked in {line!r}"


def key(table: str, before: str, seen: set[str]) -> str:
    """The row's key: made from what the text prints before the figures."""
    if table == "1":
        return before.split()[0]
    if table in "23":
        one, other = before.split()
        return f"S{one} L{other}" if table == "2" else f"M{one} N{other}"
    name, strategy = re.fullmatch(r"(.*?)\s?\([A-Z][a-z][^()]*\) (TI|DS|n/a)(?: n/a)*", before).groups()  # type: ignore[union-attr]
    name = re.sub("Resnet", "ResNet", name)  # the text spells it both ways
    made = name.replace("Baseline", "baseline") if strategy == "n/a" else f"{name} {strategy}"
    return f"{made} oversampled" if made in seen else made


@pytest.mark.parametrize("table", TABLES)
def test_the_file_holds_exactly_what_the_paper_prints(paper: str, table: str) -> None:
    rows: dict[str, dict[str, float]] = {}
    for before, figures in printed(paper, table):
        rows[key(table, before, set(rows))] = figures
    assert {row: dict(figures) for row, figures in published(table).items()} == rows
    assert list(published(table)) == list(rows)  # in the paper's order


def test_how_many_figures_there_are() -> None:
    counts = {table: sum(map(len, published(table).values())) for table in TABLES}
    assert counts == {"1": 8 * 2, "2": 6 * 2, "3": 6 * 3, "4": 9 * 3 + 1, "5": 15 * 10 - 1}


def test_recalls_of_table_5_give_its_war_but_for_two_rows() -> None:
    """WAR is the mean of the recalls, weighted with the clips of each class; 11,697 clips are what was evaluated."""
    assert DFEW_CLIPS == 11_697
    off = {}
    for row, figures in published("5").items():
        war = sum(figures[emotion] * clips for emotion, clips in DFEW_EMOTIONS.items()) / DFEW_CLIPS
        if abs(war - figures["WAR"]) > 0.01:
            off[row] = round(abs(war - figures["WAR"]), 2)
    assert off == {"ResNet18+GRU DS": 0.08, "NR-DFERNet DS": 0.03}


def test_recalls_of_table_5_give_its_uar_but_for_the_row_with_a_misprint() -> None:
    rows = published("5").items()
    means = {row: sum(figures[emotion] for emotion in EMOTIONS) / len(EMOTIONS) for row, figures in rows}
    off = {row: round(means[row], 2) for row, figures in rows if abs(means[row] - figures["UAR"]) > 0.011}
    assert off == {"ResNet18+GRU DS": 51.90}  # 51.68 is printed


def test_a_table_that_is_not_there_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="no table '6' with figures; it has 1, 2, 3, 4, 5"):
        published("6")


def test_nobody_can_change_what_was_published() -> None:
    with pytest.raises(TypeError):
        published("1")["a"]["UAR"] = 99.0  # type: ignore[index]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "the first line must be table,row"),
        ("1,a,UAR,50.22", "line 2: 4 cells instead of 5"),
        ("6,a,UAR,50.22,x", "line 2: a line needs a table"),
        ("1,a,Joy,50.22,x", "line 2: a line needs .* it says 1,a,Joy"),
        ("1,a,UAR,50.22,", "line 2: a line needs .* a source"),
        ("1,a,UAR,n/a,x", "line 2: the value 'n/a' is not a number"),
        ("1,a,UAR,nan,x", "line 2: the value 'nan' is not a number"),
        ("1,a,UAR,50.22,x\n1,a,UAR,50.23,x", "line 3: table 1 has a second UAR for the row 'a'"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path, lines: str, message: str) -> None:
    path = tmp_path / "published.csv"
    path.write_text(f"{','.join(HEADER)}\n{lines}\n" if lines else "a,b\n")
    with pytest.raises(ValueError, match=message):
        read(path)
