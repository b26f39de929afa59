"""Published figures of further corpora, each with a source."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nrdfer.cli import app
from nrdfer.core.errors import CorpusError
from nrdfer.corpora.registry import CORPORA
from nrdfer.experiments.published_corpora import FIGURES, HEADER, figures_of, read


def test_every_figure_is_of_a_corpus_and_has_a_source() -> None:
    figures = read(FIGURES)
    assert {figure.corpus for figure in figures} <= set(CORPORA)
    assert all("github.com/" in figure.source or "arXiv" in figure.source for figure in figures)
    found = {(figure.method, figure.column): figure.value for figure in figures_of("ferv39k")}
    assert (found["ResNet-18", "WAR"], found["ResNet-18", "UAR"]) == (39.33, 30.30)
    assert figures_of("ravdess") == []
    with pytest.raises(CorpusError, match="no corpus 'ck'"):
        figures_of("ck")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("mafw,X,WAR,1", "line 2: a line needs"),
        ("mafw,X,F1,1,s", "line 2: a line needs"),
        ("mafw,X,WAR,nan,s", "'nan' is not a percentage"),
        ("mafw,X,WAR,1,s\nmafw,X,WAR,2,s", "line 3: mafw has a second WAR of X"),
    ],
)
def test_lines_that_are_not_understood_are_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "figures.csv").write_text(f"{','.join(HEADER)}\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "figures.csv")
    (tmp_path / "figures.csv").write_text("a,b\n")
    with pytest.raises(ValueError, match="the first line must be corpus,method"):
        read(tmp_path / "figures.csv")


def test_the_command_prints_figures_with_sources() -> None:
    done = CliRunner().invoke(app, ["corpus", "published", "mafw"])
    assert done.exit_code == 0
    assert "57.37" in done.output
    assert "no published figure of CREMA-D" in CliRunner().invoke(app, ["corpus", "published", "cremad"]).output
