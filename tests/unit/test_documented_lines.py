"""Every line of `nrdfer` in the README and the documentation can be typed: its command and options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

from nrdfer.cli import app
from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
SHELL = re.compile(r"^ *```(?:sh|bash|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
ANY_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
GIVEN = re.compile(r"^(?:\w+=\S+ )*(?=nrdfer )")  # variables before a command


def typed(page: Path) -> list[str]:
    """Commands of a page: in blocks of a shell and in indented ones, without comments; `a && b` is two."""
    text = re.sub(r"\\\n\s*", "", page.read_text())
    lines = [line for block in SHELL.findall(text) for line in block.splitlines()]
    lines += re.findall(r"^ {4,}(\S.*)$", ANY_BLOCK.sub("", text), re.MULTILINE)
    parts = [part.strip() for line in lines for part in re.split(r" && |; | \| ", re.sub(r"\s+#.*", "", line))]
    return [GIVEN.sub("", part) for part in parts if GIVEN.match(part)]


LINES = sorted({line for page in PAGES for line in typed(page)})


def test_lines_are_found() -> None:
    assert len(LINES) > 60
    assert {line.split()[1] for line in LINES} >= {"predict", "export", "serve", "demo", "compare", "run"}


@pytest.mark.parametrize("line", LINES)
def test_a_line_can_be_typed(line: str) -> None:
    command: click.Command = typer.main.get_command(app)
    words, names = shlex.split(line)[1:], []
    while isinstance(command, click.Group):
        assert words and words[0] in command.commands, line
        names.append(words.pop(0))
        command = command.commands[names[-1]]
    command.make_context(" ".join(names), words)  # reads the options, runs nothing
