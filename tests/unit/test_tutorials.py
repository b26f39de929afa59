"""Every line of a tutorial can be typed: commands, options, make targets, jobs and variables exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from nrdfer.cli import app
from tests.conftest import PROJECT

PAGES = sorted((PROJECT / "docs" / "tutorials").glob("*.md"))
MAKEFILE = (PROJECT / "Makefile").read_text()


def typed(page: Path) -> list[list[str]]:
    """The words of every command of a page: of its indented blocks, without comments; `a && b` is two."""
    text = re.sub(r"\\\n\s*", "", page.read_text())
    blocks = re.findall(r"^    (\S.*)$", re.sub(r"(?ms)^```.*?^```", "", text), re.MULTILINE)
    return [shlex.split(part) for line in blocks for part in re.split(r" && |; ", re.sub(r"\s{2,}#.*", "", line))]


LINES = [(page.stem, words) for page in PAGES for words in typed(page)]


def of(program: str) -> list[list[str]]:
    return [words[1:] for _, words in LINES if words[0] == program]


def test_lines_are_found() -> None:
    assert {page.stem for page in PAGES} == {page for page, _ in LINES}
    assert len(of("nrdfer")) > 10
    assert of("make") and of("dagster") and of("export")


@pytest.mark.parametrize("words", of("nrdfer"), ids=" ".join)
def test_commands_and_options_of_nrdfer_exist(words: list[str]) -> None:
    command: click.Command = typer.main.get_command(app)
    words, names = list(words), []
    while isinstance(command, click.Group):
        assert words and words[0] in command.commands, words
        names.append(words.pop(0))
        command = command.commands[names[-1]]
    command.make_context(" ".join(names), words)  # reads the options, runs nothing


@pytest.mark.parametrize("target", sorted({word for words in of("make") for word in words if "=" not in word}))
def test_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_jobs_exist() -> None:
    named = {words[words.index("-j") + 1] for words in of("dagster") if "-j" in words}
    assert named
    source = (PROJECT / "pipelines" / "jobs.py").read_text()
    assert [name for name in sorted(named) if f'"{name}"' not in source] == []


def test_variables_of_the_project_are_read_by_it() -> None:
    named = {name for page in PAGES for name in re.findall(r"NRDFER_[A-Z_]+", page.read_text())}
    made = {"NRDFER_DFEW_ROOT"}  # of each corpus, from its name
    code = "".join(
        path.read_text() for root in ("nrdfer", "assets", "pipelines") for path in (PROJECT / root).rglob("*.py")
    )
    code += (PROJECT / "deploy" / "dagster.yaml").read_text()
    assert named
    assert [name for name in sorted(named - made) if name not in code] == []


def test_files_and_folders_of_the_project_exist() -> None:
    named = {word for _, words in LINES for word in words if re.match(r"(deploy|examples|scripts)/", word)}
    named |= {
        name for page in PAGES for name in re.findall(r"`((?:examples|deploy|scripts)/[\w./-]+)`", page.read_text())
    }
    assert named
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []
