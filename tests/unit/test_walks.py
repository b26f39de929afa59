"""The walks in docs/architecture.md: every file is there, is imported by one before it, and there are not too many."""

from __future__ import annotations

import re
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).resolve().parents[2]
MOST = {
    "From a clip id of DFEW's csv to a batch on the device": 15,
    "From a video of AFEW to a shard": 16,
    "From a checkpoint to the model registry": 12,
}
_LINE = re.compile(r"(\d+)\. `([^`]+\.py)`: \S.*[.]")


def walks() -> dict[str, list[str]]:
    """Title -> files, as numbered."""
    text = (PROJECT / "docs" / "architecture.md").read_text()
    section = re.split(r"^## ", text.split("\n## Three walks\n")[1], flags=re.MULTILINE)[0]
    found: dict[str, list[str]] = {}
    for part in section.split("\n### ")[1:]:
        title, *lines = [line for line in part.splitlines() if line.strip()]
        numbered = [_LINE.fullmatch(line) for line in lines]
        assert all(numbered), (title, lines)
        assert [int(match[1]) for match in numbered if match] == list(range(1, len(lines) + 1))
        found[title] = [match[2] for match in numbered if match]
    return found


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("nrdfer", "assets", "pipelines", cache_dir=None)


def test_there_are_three_and_they_are_short() -> None:
    assert {title: len(files) <= MOST[title] for title, files in walks().items()} == dict.fromkeys(MOST, True)


@pytest.mark.parametrize("title", MOST)
def test_each_file_is_imported_by_one_before_it(title: str, graph: grimp.ImportGraph) -> None:
    files = walks()[title]
    assert len(set(files)) == len(files)
    assert [path for path in files if not (PROJECT / path).is_file()] == []
    for number, path in enumerate(files[1:], start=1):
        before = {module_of(earlier) for earlier in files[:number]}
        if path.startswith("assets/"):  # what one step has made, Dagster hands to the next
            before |= {"pipelines.definitions", "assets.corpus_branch"}
        if path.startswith("nrdfer/corpora/"):  # a step is made for a corpus of the registry
            before.add("nrdfer.corpora.registry")
        assert before & graph.find_modules_that_directly_import(module_of(path)), f"nothing before {path} imports it"
