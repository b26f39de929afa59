"""The navigation is what docs/README.md lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.docs_site import links, navigation


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(links, "PROJECT", tmp_path)
    for name, text in {
        "docs/README.md": "# P\n\n[out](../LICENSE)\n## One\n\n- [a](a.md)\n- [f](f/README.md)\n\n## None\n\nWords.\n",
        "docs/a.md": "# About `a`\n",
        "docs/f/README.md": "# Folder\n\n| [b](b.md) | [a](../a.md) | [b](b.md#x) |\n",
        "docs/f/b.md": "# B\n",
        "LICENSE": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_sections_pages_and_folders(repository: Path) -> None:
    assert navigation.navigation() == [
        {"Documentation": "README.md"},
        {"One": [{"About a": "a.md"}, {"Folder": ["f/README.md", {"B": "f/b.md"}]}]},
    ]
    assert navigation.listed() == {"docs/README.md", "docs/a.md", "docs/f/README.md", "docs/f/b.md"}


def test_a_page_without_a_heading_is_named(repository: Path) -> None:
    (repository / "docs/f/b.md").write_text("words\n")
    with pytest.raises(ValueError, match=r"docs/f/b\.md has no heading"):
        navigation.navigation()
