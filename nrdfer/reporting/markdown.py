"""The report as Markdown beside the page: the same sections, pictures as files.

How a table looks belongs to ``render``, the page to ``page``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.markdown_text import code, plain
from nrdfer.reporting.page import Report, Section
from nrdfer.reporting.render import markdown_of


def write_markdown(out: Path, report: Report) -> None:
    """Write what `nrdfer.reporting.page.write_page` writes, as Markdown; pictures are linked, relative to `out`."""
    parts = [f"# {plain(report.title)}", plain(report.subtitle), f"**{report.statement}**"]
    for section in report.sections:
        parts += [f"## {section.title}", section.lead, *_parts(section, out.parent, report.comparable)]
    write_whole(out, "\n\n".join(part.strip("\n") for part in parts if part.strip()).encode() + b"\n")


def _parts(section: Section, folder: Path, comparable: bool) -> Iterator[str]:
    yield section.open
    for table in section.tables:
        yield markdown_of(table, comparable=comparable)
    for picture in section.drawn:
        yield f"### {plain(picture.title)}"
        yield f"![{plain(picture.alt)}]({quote(os.path.relpath(picture.path, folder))})"
        yield picture.caption
    for missing in section.missing:
        yield f"**{plain(missing.what)} could not be made.** {plain(missing.why)}"
    if section.facts:
        yield "\n".join(f"- {code(name)}: {_value(text)}" for name, text in section.facts)


def _value(text: str) -> str:
    """A fact's text: an address remains a link, a digest stays as it is."""
    return f"<{text}>" if re.fullmatch(r"(?:https?|file)://[!-;=?-~]+", text) else plain(text)
