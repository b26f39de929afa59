"""The files for contributors keep their word: links lead somewhere, and what they name exists."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT

RECORDS = sorted((PROJECT / "docs" / "decisions").glob("[0-9]*.md"))
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")),
    PROJECT / "docs" / "decisions" / "README.md",
    *RECORDS,
    *sorted((PROJECT / ".github").rglob("*.md")),
]
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()
MAKEFILE = (PROJECT / "Makefile").read_text()
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def _ids(page: Path) -> str:
    return str(page.relative_to(PROJECT))


def _yaml(name: str) -> Any:
    return yaml.safe_load((PROJECT / name).read_text())


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=_ids)
def test_files_and_make_targets_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    rooted = r"(?:nrdfer|assets|pipelines|docs|bench|scripts|tests|examples|\.github)/[\w./-]*\w"
    named = set(re.findall(rf"[`\s]({rooted})(?=[`\s:,)])", text))
    assert [name for name in sorted(named) if not (PROJECT / name).exists()] == []
    targets = set(re.findall(r"(?:`|^ {4})make ([a-z][\w-]*)", text, re.MULTILINE))
    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)] == []


def test_the_glossary_is_short_sorted_and_says_each_word_once() -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*: \S", CONTRIBUTING.split("## Glossary")[1], re.MULTILINE)
    assert 20 <= len(words) <= 40
    assert words == sorted(set(words), key=str.lower)
    lines = [line for line in CONTRIBUTING.split("## Glossary")[1].splitlines() if line]
    assert len(lines) == len(words)  # one line each


def test_records_are_numbered_short_and_in_the_index() -> None:
    index = (PROJECT / "docs" / "decisions" / "README.md").read_text()
    listed = re.findall(r"^\| (\d+) \| \[(.+)\]\((.+)\) \|$", index, re.MULTILINE)
    assert [(f"# {number}. {title}", name) for number, title, name in listed] == [
        (record.read_text().splitlines()[0], record.name) for record in RECORDS
    ]
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))
    for record in RECORDS:
        text = record.read_text()
        assert 20 <= len(text.splitlines()) <= 40
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Shown by"]


def test_the_changelog_has_the_present_version() -> None:
    headings = re.findall(
        r"^## \[(.+?)\](?: - (\d{4}-\d\d-\d\d))?$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert headings[0] == ("Unreleased", "")
    assert headings[1][0] == VERSION
    assert all(date for _, date in headings[1:])


def test_the_citation_is_of_this_version_and_of_the_paper() -> None:
    citation = _yaml("CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "type"} <= set(citation)
    assert citation["version"] == VERSION
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Li", "Sui", "Zhu", "Zhao"]
    assert (paper["year"], paper["type"]) == (2022, "article")
    (number,) = [entry["value"] for entry in paper["identifiers"]]
    assert number in (PROJECT / "THIRD_PARTY_NOTICES.md").read_text()


def test_hooks_are_local_and_run_what_is_there() -> None:
    (repository,) = _yaml(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        tool, name = hook["entry"].split()[:2]
        if tool == "make":
            assert re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)
        else:
            assert tool in (".venv/bin/ruff", "awk")


def test_the_workflow_runs_what_ci_runs_with_a_python_that_is_supported() -> None:
    workflow = _yaml(".github/workflows/ci.yml")
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == ["bash .ci/run"]
    assert [step["with"]["python-version"] for step in job["steps"] if "python" in step.get("uses", "")] == ["3.11"]
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in (PROJECT / ".github" / "workflows" / "ci.yml").read_text()


@pytest.mark.parametrize(("lint", "tests", "status"), [(0, 0, 0), (0, 2, 2), (1, 0, 1), (1, 2, 1)])
def test_ci_waits_for_both_and_fails_with_either(tmp_path: Path, lint: int, tests: int, status: int) -> None:
    make = tmp_path / "make"
    make.write_text(f"#!/bin/sh\ncase $1 in test) exit {tests};; lint) sleep 0.1; echo linted; exit {lint};; esac\n")
    make.chmod(0o755)
    _, _, steps = (PROJECT / ".ci" / "run").read_text().partition("\nmake install\n")
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    line = ["bash", "-euo", "pipefail", "-c", steps]
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert (done.returncode, "linted" in done.stdout) == (status, True)
    assert ("make lint or make docs has failed" in done.stdout) == bool(lint)
