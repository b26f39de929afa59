"""Sentences for the page: paragraphs, names in backticks, commands that are indented by four. Nothing else is markup.

Everything is escaped here; the content of the sentences belongs to the callers.
"""

from __future__ import annotations

import re
import textwrap

from markupsafe import Markup, escape

from nrdfer.core.plain_text import lines

_DIGEST = re.compile(r"(?:sha256:)?[0-9a-f]{12,}")
_CODE = re.compile(r"`([^`]+)`")


def prose(text: str) -> Markup:
    """Paragraphs of HTML; an empty line separates them. Lines that are all indented by four are shown as they are."""
    parts = re.split(r"\n[ \t]*\n", lines(text).strip("\n"))
    return Markup("\n").join(_paragraph(part) for part in parts if part.strip())


def inline(text: str) -> Markup:
    """One line of HTML; text in backticks is code, and so is a digest on its own."""
    if _DIGEST.fullmatch(text):
        return Markup("<code>{}</code>").format(text)
    pieces = _CODE.split(lines(text))  # at odd places what stood in backticks
    return Markup("").join(Markup("<code>{}</code>").format(x) if i % 2 else escape(x) for i, x in enumerate(pieces))


def _paragraph(text: str) -> Markup:
    if all(line.startswith("    ") for line in text.splitlines()):
        return Markup("<pre><code>{}</code></pre>").format(textwrap.dedent(text).rstrip())
    return Markup("<p>{}</p>").format(inline(text.strip()))
