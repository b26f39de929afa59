"""Markdown: tables, and text from outside (names, reasons, tags), shown as it is, on one line, never as markup.

HTML is escaped by `html` and `markupsafe`, CSV by ``csv_cells``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nrdfer.core.plain_text import one_line

_MARKUP = re.compile(r"([\\`*_\[\]<>&|~#])")
#: The character by which GitHub's Markdown recognises an address, whatever precedes it.
_ADDRESS = re.compile(
    r"(?:(?<=https)|(?<=http)|(?<=ftp)|(?<=mailto)|(?<=xmpp)):|(?<=www)\.|@(?=[\w\\-]+\.)", re.IGNORECASE
)
_TICKS = re.compile(r"`+")


def plain(text: str) -> str:
    """Text escaped for Markdown, on one line: no link, no picture, no tag, no column.

    Control characters become visible.
    """
    line = _MARKUP.sub(r"\\\1", one_line(" ".join(text.split())))
    # an address would be turned into a link
    return _ADDRESS.sub(r"\\\g<0>", line)


def code(text: str) -> str:
    """Text as inline code, with any backticks in it; not for table cells, which end at a pipe."""
    line = one_line(" ".join(text.split()))
    fence = "`" * (max(map(len, _TICKS.findall(line)), default=0) + 1)
    return f"{fence}{line}{fence}" if len(fence) == 1 else f"{fence} {line} {fence}"


def table(header: Sequence[str], rows: Iterable[Iterable[str]], numbers: int = 0) -> str:
    """A table of cells that are Markdown already; the last `numbers` columns are right-aligned."""
    rule = ["---"] * (len(header) - numbers) + ["--:"] * numbers
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
