"""Published figures of corpora that the paper does not cover, from ``published_corpora.csv``, each with its source.

MAFW's are means over its five folds. CREMA-D and RAVDESS have no published division, so that figures of one
publication cannot be compared with another's, and none is listed. The paper's own tables belong to ``published``.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from nrdfer.corpora.registry import find_corpus
from nrdfer.evaluation.result_table import UAR, WAR

FIGURES = Path(__file__).with_name("published_corpora.csv")
HEADER = ["corpus", "method", "column", "value", "source"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure, percent."""

    corpus: str
    method: str
    column: str  # WAR or UAR
    value: float
    source: str


def figures_of(corpus: str) -> list[Figure]:
    """The published figures of a corpus; empty if none is known.

    Raises:
        CorpusError: there is no such corpus.
    """
    find_corpus(corpus)
    return [figure for figure in _figures() if figure.corpus == corpus]


def read(path: Path) -> list[Figure]:
    """The figures of a file.

    Raises:
        ValueError: a line is not understood, or a figure is there twice; says which line.
    """
    figures: dict[tuple[str, str, str], Figure] = {}
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        if (header := next(lines, [])) != HEADER:
            raise ValueError(f"{path}: the first line must be {','.join(HEADER)}, not {','.join(header)}")
        for cells in lines:
            where = f"{path}, line {lines.line_num}"
            if len(cells) != len(HEADER) or not all(cells) or cells[2] not in (WAR, UAR):
                raise ValueError(f"{where}: a line needs a corpus, a method, {WAR} or {UAR}, a value and a source")
            figure = Figure(cells[0], cells[1], cells[2], _percent(cells[3], where), cells[4])
            key = figure.corpus, figure.method, figure.column
            if figures.setdefault(key, figure) is not figure:
                raise ValueError(f"{where}: {figure.corpus} has a second {figure.column} of {figure.method}; keep one")
    return list(figures.values())


@cache
def _figures() -> list[Figure]:
    return read(FIGURES)


def _percent(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 100:
        raise ValueError(f"{where}: the value {text!r} is not a percentage")
    return value
