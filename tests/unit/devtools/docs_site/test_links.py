"""Links lead to the same file in the repository and in the site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devtools.docs_site import links, navigation

PAGES = sorted(path.relative_to(links.PROJECT).as_posix() for path in (links.PROJECT / "docs").rglob("*.md"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(links, "PROJECT", tmp_path)
    for name in ("README.md", "docs/README.md", "docs/a.md", "docs/deep/README.md", "docs/deep/b.md", "deploy/run.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    return tmp_path


def test_every_link_of_every_page_leads_to_a_file() -> None:
    for page in PAGES:  # one test: a parameter each would cost more than the work
        list(links.linked((links.PROJECT / page).read_text(), page))


def test_every_page_is_in_the_navigation() -> None:
    assert set(PAGES) - navigation.listed() == set(), "add it to a list of docs/README.md"


@pytest.mark.parametrize(
    ("link", "page", "wanted"),
    [
        ("b.md", "docs/deep/README.md", "b.md"),
        ("../a.md#part", "docs/deep/b.md", "../a.md#part"),
        ("../README.md", "docs/a.md", "repository/README.md"),
        ("../../deploy/run.py", "docs/deep/b.md", "../repository/deploy/run.py.md"),
        ("docs/a.md", "README.md", "../a.md"),
        ("deep", "docs/a.md", "deep/README.md"),
        ("https://arxiv.org/abs/2206.04975", "docs/a.md", "https://arxiv.org/abs/2206.04975"),
        ("#part", "docs/a.md", "#part"),
        ("mailto:a@example.org", "docs/a.md", "mailto:a@example.org"),
    ],
)
def test_links_are_rewritten(repository: Path, link: str, page: str, wanted: str) -> None:
    assert links.rewritten(f"see [it]({link}), ![it]({link})\n", page) == f"see [it]({wanted}), ![it]({wanted})\n"


@pytest.mark.parametrize("fence", ["```", "~~~"])
def test_code_stays_as_it_is(repository: Path, fence: str) -> None:
    text = f"{fence}md\n[x](gone.md)\n{fence}\n[y](../README.md)\n"
    assert links.rewritten(text, "docs/a.md") == text.replace("../README.md", "repository/README.md")


@pytest.mark.parametrize("link", ["gone.md", "../../outside.md", "../docs/gone/", "/etc/hostname"])
def test_a_link_that_leads_nowhere_is_named(repository: Path, link: str) -> None:
    (repository.parent / "outside.md").write_text("")
    with pytest.raises(links.BrokenLinkError, match=r"docs/a\.md links to"):
        links.rewritten(f"[x]({link})", "docs/a.md")


def test_files_outside_the_folder_are_found_through_others(repository: Path) -> None:
    (repository / "docs/a.md").write_text("[readme](../README.md)")
    (repository / "README.md").write_text("[script](deploy/run.py) [back](docs/a.md) [itself](README.md)")
    assert links.outside(["docs/a.md", "docs/deep/b.md"]) == ["README.md", "deploy/run.py"]


def test_a_notebook_becomes_its_cells_with_their_links(repository: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "[a](docs/a.md)"]},
        {"cell_type": "code", "source": ["x[0](1)\n", "y"]},
    ]
    (repository / "n.ipynb").write_text(json.dumps({"cells": cells}))
    page = links.rewritten(links.markdown("n.ipynb"), "n.ipynb")
    assert page == "# Title\n[a](../a.md)\n\n```python\nx[0](1)\ny\n```\n"
    (repository / "docs/a.md").write_text("[n](../n.ipynb)")
    assert links.outside(["docs/a.md"]) == ["n.ipynb"]


def test_a_listing_cannot_end_its_own_block(repository: Path) -> None:
    (repository / "deploy/run.py").write_text('"""\n```\n[x](y)\n"""\n')
    page = links.markdown("deploy/run.py")
    assert page.startswith("# deploy/run.py\n\n````python\n")
    assert page.endswith("\n````\n")
    assert links.rewritten(page, "deploy/run.py") == page
