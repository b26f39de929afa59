"""Names and first sentences: no word that a reader has to learn where the trade has its own."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PROJECT

PACKAGES = ("nrdfer", "assets", "pipelines")
#: Words that stood for several things each; CONTRIBUTING.md has the standard one.
WORDS = re.compile(r"(^|_)(told|whence|shown|aside|courier|left_over|story)(_|$)", re.IGNORECASE)
#: A module's docstring names its subject; PEP 257.
NO_SUBJECT = re.compile(r"(What|How|Which|Whether|Where|Who|From|Is|Are|Was|Does|Do|Has)\b")


def _modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from sorted((PROJECT / package).rglob("*.py"))


def test_names_are_standard_terms() -> None:
    found = [f"module {path.stem}" for path in _modules() if WORDS.search(path.stem)]
    for path in _modules():
        tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
        found += [
            f"{path.relative_to(PROJECT)}:{token.start[0]} {token.string}"
            for token in tokens
            if token.type == tokenize.NAME and WORDS.search(token.string)
        ]
    assert found == []


def test_a_modules_docstring_begins_with_its_subject() -> None:
    firsts = {path: ast.get_docstring(ast.parse(path.read_text())) or "" for path in _modules()}
    assert [str(path.relative_to(PROJECT)) for path, text in firsts.items() if not text] == []
    found = {str(path.relative_to(PROJECT)): text[:60] for path, text in firsts.items() if NO_SUBJECT.match(text)}
    assert found == {}
