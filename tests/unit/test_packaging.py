"""What is built from the checkout: the metadata, the long description, and what the source distribution holds."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.conftest import PROJECT

ABOUT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
README = (PROJECT / "README.md").read_text()
#: What a checkout holds and a source distribution does not.
LOCAL = shutil.ignore_patterns(
    ".git", ".venv", ".nrdfer", ".dagster", "build", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis", ".env",
    ".screenshots", ".tmp_dagster_home_*",
)  # fmt: skip


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_script", PROJECT / "setup.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_authors_and_keywords_are_those_of_the_citation() -> None:
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert [author["name"] for author in ABOUT["authors"]] == [author["name"] for author in citation["authors"]]
    assert set(citation["keywords"]) <= set(ABOUT["keywords"])
    assert ABOUT["urls"]["Paper"] == citation["preferred-citation"]["url"]
    assert ABOUT["urls"].get("Repository") == citation.get("repository-code")


def test_without_an_address_the_long_description_has_no_link_into_the_repository(script: ModuleType) -> None:
    text = script.long_description(README, None)
    assert "](" not in re.sub(r"\]\((?:https?:|#)", "", text)
    assert "docs/models.md" in text  # the words of a link stay
    assert "| DFEW mean of folds |" in text


def test_with_an_address_links_and_pictures_lead_there(script: ModuleType) -> None:
    text = script.long_description(
        "![g](docs/g.png)\n\n[m](docs/m.md#x), [p](https://a.example) [#](#top)", "https://r.example"
    )
    assert text == (
        "![g](https://r.example/raw/HEAD/docs/g.png)\n\n"
        "[m](https://r.example/blob/HEAD/docs/m.md#x), [p](https://a.example) [#](#top)"
    )


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names in the source distribution of a copy that holds a secret and rubbish."""
    copy = tmp_path_factory.mktemp("checkout") / "nrdfer"
    shutil.copytree(PROJECT, copy, ignore=LOCAL)
    (copy / "deploy" / ".env").write_text("PASSWORD=secret\n")
    (copy / "tests" / "__pycache__").mkdir()
    (copy / "tests" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"")
    out = copy.parent / "dist"
    code = "import setuptools.build_meta as backend, sys; print(backend.build_sdist(sys.argv[1]))"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    line = [sys.executable, "-c", code, str(out)]
    done = subprocess.run(line, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_source_distribution_holds_the_whole_checkout(members: set[str], tmp_path: Path) -> None:
    copy = tmp_path / "nrdfer"
    shutil.copytree(PROJECT, copy, ignore=LOCAL)
    wanted = {path.relative_to(copy).as_posix() for path in copy.rglob("*") if path.is_file()}
    assert {
        "Makefile",
        "dagster.yaml",
        "workspace.yaml",
        "requirements.lock",
        "mkdocs.yml",
        "tests/conftest.py",
    } <= wanted
    assert sorted(wanted - members) == []


def test_the_source_distribution_holds_no_secret_and_no_cache(members: set[str]) -> None:
    assert "deploy/env.example" in members
    assert [name for name in sorted(members) if name.endswith((".env", ".pyc")) or "__pycache__" in name] == []
