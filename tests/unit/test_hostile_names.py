"""One hostile name through every writer: it is read as it is, and is no formula, no markup, no order to a terminal."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from assets.metadata import reasons_table
from assets.prediction import summary_of, table
from nrdfer.commands.common import readable
from nrdfer.commands.evaluate import _warn_of_leaks
from nrdfer.core import redaction
from nrdfer.core.csv_cells import original
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import CorpusError
from nrdfer.evaluation import result_table as tables
from nrdfer.lineage.links import Chain, Link
from nrdfer.lineage.show import chain_lines
from nrdfer.predict.rows import Row, columns_of
from nrdfer.predict.tables import as_csv
from nrdfer.preprocessing import quality_page
from nrdfer.preprocessing.clip_files import read_reasons, write_reasons
from nrdfer.publish.model_card import CardFacts, write_card
from nrdfer.reporting.markdown import write_markdown
from nrdfer.reporting.page import Report, Section, write_page
from nrdfer.reporting.render import csv_of
from nrdfer.store import Store, artifacts
from tests.unit.reporting.made_up import figures

FORMULA, SCRIPT, LINK = "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "](javascript:alert(1))"
RED, RIGHT_TO_LEFT, NEW_LINE = "\x1b[31m", "\u202e", "\nforged: all is well"
NAME = f"{FORMULA}{SCRIPT}[x{LINK}![x{LINK}<javascript:alert(1)>`{RED}{RIGHT_TO_LEFT}\u2066\x9b2J{NEW_LINE}"
_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def row(name: str) -> Row:
    return Row(name, "clip", "unreadable", name, None, None, 0, 0, 0.0, 0.0, False, name, {})


def result_table(name: str) -> tables.ResultTable:
    rows = (tables.Row(name, {name: name}, figures(tables.WAR, 50.0), {}, name, name),)
    return tables.ResultTable("made_up", name, name, name, (name,), (tables.WAR,), (tables.MEAN, tables.POOLED), rows)


def section(name: str) -> Section:
    return Section("made-up", name, "", (result_table(name),), facts=((name, name),))


def facts(name: str) -> CardFacts:
    metrics = {"war": 0.5, "uar": 0.5, "war_unfiltered": 0.5, "uar_unfiltered": 0.5, "clips": 7}
    recalls = dict.fromkeys(EMOTIONS, 0.5)
    every = {protocol: {**metrics, "recalls": recalls} for protocol in ("honest", "paper")}
    return CardFacts(
        "NR-DFERNet", "m", "fd1", "dfew", name, "rendered", 16, {"train": 1, "test": 1}, "random weights", {"a": name},
        {"b": {"c": name}}, every, {"honest": 1, "paper": 1},
    )  # fmt: skip


def markdown_page(name: str, folder: Path) -> str:
    shown = Section("a", "A", "", (result_table(name),), facts=((name, name),))
    write_markdown(folder / "report.md", Report(name, name, "So it is.", True, [shown]))
    return (folder / "report.md").read_text(encoding="utf-8")


def html_page(name: str, folder: Path) -> str:
    write_page(folder / "report.html", Report(name, name, name, True, [section(name)]))
    return (folder / "report.html").read_text(encoding="utf-8")


def quality(name: str, folder: Path) -> str:
    clips = [{"clip_id": name, "emotion": name}]
    return quality_page.page(name, {name: name}, {name: {name: 1}}, clips, [(name, name)], folder)


def csv_of_reasons(name: str, folder: Path) -> str:
    write_reasons(folder / "aside.csv", [(name, name)])
    assert read_reasons(folder / "aside.csv") == [(name, name)]
    with (folder / "aside.csv").open(newline="", encoding="utf-8") as file:
        return file.read()


@pytest.mark.parametrize(
    "written",
    [
        csv_of_reasons,
        lambda name, folder: as_csv([row(name).flat()], columns_of(EMOTIONS)).decode(),
        lambda name, folder: csv_of(result_table(name), comparable=True),
    ],
    ids=["set aside", "predictions", "results"],
)
def test_no_cell_of_a_csv_is_a_formula(written: Callable[[str, Path], str], tmp_path: Path) -> None:
    cells = [cell for line in csv.reader(io.StringIO(written(NAME, tmp_path), newline="")) for cell in line]
    assert NAME in map(original, cells)
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@") and not re.fullmatch(r"-?[\d.]+", cell)]


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("written", [html_page, quality])
def test_no_word_of_a_page_is_markup(written: Callable[[str, Path], str], tmp_path: Path) -> None:
    found, harmless = Tags(text := written(NAME, tmp_path)), Tags(written("a", tmp_path))
    assert found.tags == harmless.tags and found.addresses == harmless.addresses
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert not _STEERING.search(text)


@pytest.mark.parametrize(
    "written",
    [
        markdown_page,
        lambda name, folder: reasons_table([(name, name)]).md_str or "",
        lambda name, folder: table([row(name)]).md_str or "",
        lambda name, folder: write_card(facts(name)),
    ],
    ids=["report", "reasons", "predictions", "card"],
)
def test_no_word_of_markdown_is_markup(written: Callable[[str, Path], str], tmp_path: Path) -> None:
    def shown(name: str) -> tuple[list[str], list[str]]:
        text = written(name, tmp_path)
        assert not _STEERING.search(text)
        page = Tags(MarkdownIt("commonmark", {"html": True, "linkify": False}).enable("table").render(text))
        return page.tags, page.addresses

    assert shown(NAME) == shown("a")


def test_no_name_steers_the_terminal_or_forges_a_line() -> None:
    links = (Link("source video", NAME, NAME, "", NAME, NAME), Link("source video", NAME, NAME, note=NAME))
    told = [summary_of(row(NAME)), *chain_lines(Chain("models:/m/1", (NAME,), links))]
    assert len(told) == 4
    assert not [line for line in told if "\n" in line or _STEERING.search(line)]


def test_an_error_that_quotes_a_name_steers_no_terminal() -> None:
    import typer

    app = typer.Typer()

    @app.command()
    @readable
    def fail() -> None:
        raise CorpusError(f"{NAME} cannot be read")

    done = CliRunner().invoke(app)
    assert done.exit_code == 1 and "cannot be read" in done.output
    assert not _STEERING.search(done.output)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What a logger of this process makes after `redaction.install`."""
    before = logging.getLogRecordFactory()
    redaction.install()
    kept: list[logging.LogRecord] = []
    log, handler = logging.getLogger("test.hostile"), logging.Handler()
    handler.emit = kept.append  # type: ignore[method-assign]
    log.addHandler(handler)
    yield kept
    log.removeHandler(handler)
    logging.setLogRecordFactory(before)


def test_a_traceback_in_a_log_keeps_its_lines(records: list[logging.LogRecord]) -> None:
    try:
        raise CorpusError(NAME)
    except CorpusError:
        logging.getLogger("test.hostile").exception("failed")
    assert "Traceback (most recent call last):\n  File" in logging.Formatter().format(records[0])


def test_why_an_artefact_is_made_again_is_told_on_one_line(
    records: list[logging.LogRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    made = store.build("a", code_version="1", config={}, inputs={}, build=lambda _: {})
    monkeypatch.setattr(artifacts, "find_problems", lambda *_: [f"{NAME} has other content"])
    logger, handler = logging.getLogger("nrdfer.store"), logging.getLogger("test.hostile").handlers[0]
    logger.addHandler(handler)
    try:
        found, told = store._find("a", made.digest)
    finally:
        logger.removeHandler(handler)
    assert found is None and "is damaged" in told
    assert [text for text in (told, *(record.getMessage() for record in records)) if "\n" in text] == []


def test_what_a_trained_folder_says_of_itself_steers_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"split": f"fd3{NAME}"}))
    _warn_of_leaks(tmp_path, "fd1")
    assert capsys.readouterr().err == ""  # of no fold of DFEW
    (tmp_path / "training.json").write_text(json.dumps({"split": "fd3"}))
    _warn_of_leaks(tmp_path, "fd1")
    assert capsys.readouterr().err.count("the weights are of fd3") == 1


def test_no_name_in_a_log_steers_the_terminal_or_forges_a_line(records: list[logging.LogRecord]) -> None:
    log = logging.getLogger("test.hostile")
    log.warning("%s and %s: %d", NAME, Path(NAME), 3)
    log.warning(f"{NAME.replace(NEW_LINE, '')}: 3\nand a line that was meant")
    log.warning("%(name)s", {"name": NAME})
    log.warning("left out: %s", CorpusError(f"{NAME} cannot be read"))
    log.warning("%(error)s", {"error": FileNotFoundError(2, "is not there", NAME)})
    told = [record.getMessage() for record in records]
    assert [text.count("\n") for text in told] == [0, 1, 0, 0, 0]
    assert told[0].endswith(": 3") and "\\x1b[31m" in told[0] and "\\u202e" in told[0]
    assert not [text for text in told if _STEERING.search(text)]
