"""The report as Markdown beside the page: the same sections, pictures as files.

How a table looks belongs to ``render``, the page to ``page``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from nrdfer.files import write_whole
from nrdfer.reporting.page import Section
from nrdfer.reporting.render import markdown_of


def write_markdown(
    out: Path, *, title: str, subtitle: str, statement: str, comparable: bool, sections: Sequence[Section]
) -> None:
    """Write what `nrdfer.reporting.page.write_page` writes, as Markdown; pictures are linked, relative to `out`."""
    parts = [f"# {title}", subtitle, f"**{statement}**"]
    for section in sections:
        parts += [f"## {section.title}", section.lead, *_parts(section, out.parent, comparable)]
    write_whole(out, "\n\n".join(part.strip("\n") for part in parts if part.strip()).encode() + b"\n")


def _parts(section: Section, folder: Path, comparable: bool) -> Iterator[str]:
    yield section.open
    for table in section.tables:
        yield markdown_of(table, comparable=comparable)
    for picture in section.pictures:
        yield f"### {picture.title}"
        yield f"![{picture.alt}]({os.path.relpath(picture.path, folder)})"
        yield picture.caption
    if section.facts:
        yield "\n".join(f"- `{name}`: {text}" for name, text in section.facts)
