"""The site's navigation, read from docs/README.md: its sections, and the pages that their lists link to.

A page that is itself a folder's README brings the pages that it links to in that folder. A page is called by its
heading.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from devtools.docs_site import links

INDEX = "docs/README.md"
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def navigation() -> list[dict[str, Any]]:
    """MkDocs's ``nav``: sections with titles and pages."""
    text = (links.PROJECT / INDEX).read_text(encoding="utf-8")
    _, *parts = _SECTION.split(text)
    sections: list[dict[str, Any]] = [{"Documentation": links.place(INDEX)}]
    for title, body in zip(parts[::2], parts[1::2], strict=True):
        entries = [_entry(path) for path in _pages(body, INDEX)]
        if entries:
            sections.append({title.strip(): entries})
    return sections


def listed() -> set[str]:
    """Every page that the navigation leads to, as paths in the repository."""
    index = (links.PROJECT / INDEX).read_text(encoding="utf-8")
    pages = set(_pages(index, INDEX))
    return {INDEX, *pages, *(below for page in pages for below in _below(page))}


def title(path: str) -> str:
    """A page's heading, without marks.

    Raises:
        ValueError: the page has no heading of the first level.
    """
    found = re.search(r"^# (.+)$", links.markdown(path), re.MULTILINE)
    if not found:
        raise ValueError(f"{path} has no heading; begin it with a line `# Title`")
    return found[1].replace("`", "").strip()


def _entry(path: str) -> dict[str, Any]:
    below = _below(path)
    if not below:
        return {title(path): links.place(path)}
    return {title(path): [links.place(path), *({title(page): links.place(page)} for page in below)]}


def _below(path: str) -> list[str]:
    """The pages of its own folder that a folder's README links to."""
    if Path(path).name != "README.md" or path == INDEX:
        return []
    text = (links.PROJECT / path).read_text(encoding="utf-8")
    return [page for page in _pages(text, path) if Path(page).parent == Path(path).parent and page != path]


def _pages(text: str, page: str) -> list[str]:
    return [path for path in dict.fromkeys(links.linked(text, page)) if path.endswith(links.WRITTEN)]
