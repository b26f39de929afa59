"""The README keeps its word: what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
README = (PROJECT / "README.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()


def test_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    assert len(pictures) >= 3
    assert [name for name in pictures if not (PROJECT / name).is_file()] == []


def test_files_and_folders_exist() -> None:
    named = set(re.findall(r"`((?:nrdfer|assets|pipelines|docs|bench|scripts|devtools)/[\w./*-]*)`", README))
    assert named
    assert [name for name in sorted(named) if not list(PROJECT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:`|^ {4})make ([\w-]+)", README, re.MULTILINE))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


def test_the_table_of_results_is_there() -> None:
    table = README.split("<!-- results -->")[1].split("<!-- end of results -->")[0]
    assert "| DFEW mean of folds |" in table
