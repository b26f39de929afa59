"""Links between pages, which lead to the same place in the repository and in the site.

In the repository a page links to any file beside or above it. The site holds docs/ at its top; a file outside docs/
that some page links to becomes a page below ``repository/``: Markdown as it is, a notebook as its
cells, anything else as a listing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

PROJECT = Path(__file__).resolve().parents[2]
DOCS = "docs/"
OUTSIDE = "repository/"
_LINK = re.compile(r"(\]\()([^)\s#]+)((?:#[^)\s]*)?\))")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".cff": "yaml"}
#: Files whose links lead on.
WRITTEN = (".md", ".ipynb")


class BrokenLinkError(ValueError):
    """A page links to a file that the repository does not have."""


def target(link: str, page: str) -> str | None:
    """The file that a link of a page leads to; both are paths in the repository.

    Returns:
        None for an address, and for a link within the page. For a folder, its README.

    Raises:
        BrokenLinkError: there is no such file, or it is outside the repository.
    """
    if "://" in link or link.startswith(("mailto:", "#")):
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), link))
    if (PROJECT / path).is_dir():
        path = posixpath.join(path, "README.md")
    if path.startswith(("../", "/")) or not (PROJECT / path).is_file():
        raise BrokenLinkError(f"{page} links to {link}, which is no file of the repository")
    return path


def place(path: str) -> str:
    """Where the site has a file of the repository, as a path below the site's source folder."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return OUTSIDE + (path if path.endswith(".md") else f"{path}.md")


def rewritten(text: str, page: str) -> str:
    """A page's Markdown with its links as the site has them.

    Raises:
        BrokenLinkError: see `target`.
    """

    def link(match: re.Match[str]) -> str:
        found = target(match[2], page)
        if found is None:
            return match[0]
        return match[1] + posixpath.relpath(place(found), posixpath.dirname(place(page)) or ".") + match[3]

    return "".join(line if code else _LINK.sub(link, line) for line, code in _lines(text))


def linked(text: str, page: str) -> Iterator[str]:
    """The files of the repository that a page links to."""
    for line, code in _lines(text):
        for match in () if code else _LINK.finditer(line):
            found = target(match[2], page)
            if found is not None:
                yield found


def outside(pages: Iterable[str]) -> list[str]:
    """The files outside docs/ that can be reached from pages of the repository, sorted."""
    waiting, seen = list(pages), set()
    while waiting:
        page = waiting.pop()
        for path in linked(markdown(page), page):
            if path not in seen and not path.startswith(DOCS):
                seen.add(path)
                if path.endswith(WRITTEN):
                    waiting.append(path)
    return sorted(seen)


def markdown(path: str) -> str:
    """A file of the repository as the Markdown of a page."""
    text = (PROJECT / path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    if path.endswith(".ipynb"):
        cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
        return "\n\n".join(_fenced(source, "python") if kind == "code" else source for kind, source in cells) + "\n"
    return f"# {path}\n\n{_fenced(text.rstrip(), _LANGUAGES.get(PurePosixPath(path).suffix, 'text'))}\n"


def _fenced(text: str, language: str) -> str:
    """A block of code, whatever marks the text holds itself."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Each line with its end, and whether it is inside a fenced block."""
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            yield line, True
            ends = mark is not None and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if ends else fence
        else:
            fence = mark[1] if mark else ""
            yield line, bool(fence)
