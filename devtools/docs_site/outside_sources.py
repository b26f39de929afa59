"""Sources that a built site would load from other hosts when it is read: there must be none.

A reader's address is nobody's business; a page loads scripts, styles, fonts and pictures from its own host only. Links
that a reader clicks are no sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_ATTRIBUTES = {"src", "srcset", "data", "poster"}
_LOADED_LINKS = {"stylesheet", "preload", "modulepreload", "prefetch", "preconnect", "dns-prefetch", "icon", "manifest"}
_ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""", re.IGNORECASE)


class _Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        names = set(_ATTRIBUTES)
        if tag == "link" and _LOADED_LINKS & set(attributes.get("rel", "").lower().split()):
            names.add("href")
        self.found += [attributes[name] for name in names & set(attributes) if _ELSEWHERE.match(attributes[name])]
        self.found += _STYLE.findall(attributes.get("style", ""))


def outside_sources(site: Path) -> Iterator[tuple[str, str]]:
    """File and address of each source of another host in a site's pages and style sheets."""
    for path in sorted(site.rglob("*")):
        if path.suffix == ".html":
            reader = _Sources()
            text = path.read_text(encoding="utf-8")
            reader.feed(text)
            reader.close()
            styles = [_STYLE.findall(block) for block in re.findall(r"(?is)<style[^>]*>(.*?)</style>", text)]
            found = [*reader.found, *(address for block in styles for address in block)]
        elif path.suffix == ".css":
            found = _STYLE.findall(path.read_text(encoding="utf-8"))
        else:
            continue
        yield from ((str(path.relative_to(site)), address) for address in found)
