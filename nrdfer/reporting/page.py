"""The report as one HTML file that needs nothing else: no network, no script, pictures inside.

The layout of tables belongs to ``render``, the content to ``nrdfer.reporting.build``. The file's own content security
policy forbids the browser to load anything, so that it always looks the same, wherever it is copied.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import NrdferError
from nrdfer.core.html_templates import templates
from nrdfer.core.optional_output import Missing
from nrdfer.evaluation.result_table import ResultTable
from nrdfer.reporting.comparison_table import ComparisonTable
from nrdfer.reporting.prose import inline, prose
from nrdfer.reporting.render import heading, html_of

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDE = 1.35  # pictures that are this much wider than high stand alone in their line
_ANCHOR = re.compile(r"[a-z][a-z0-9_-]*")
_TAKEN = ("statement", "contents", "main")  # anchors that the page itself uses


@dataclass(frozen=True)
class Picture:
    """A PNG made earlier."""

    path: Path
    title: str
    caption: str
    alt: str  # what is seen, for who does not see it


@dataclass(frozen=True)
class Section:
    """One section, in the order of its fields; of text, see `nrdfer.reporting.prose`."""

    anchor: str
    title: str
    lead: str
    tables: tuple[ResultTable | ComparisonTable, ...] = ()
    pictures: tuple[Picture | Missing, ...] = ()  # as drawn, or why it could not be
    facts: tuple[tuple[str, str], ...] = ()  # name, text
    open: str = ""  # what is missing, and the command that makes it

    @property
    def drawn(self) -> tuple[Picture, ...]:
        """The available pictures."""
        return tuple(picture for picture in self.pictures if isinstance(picture, Picture))

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The missing pictures."""
        return tuple(picture for picture in self.pictures if isinstance(picture, Missing))


@dataclass(frozen=True)
class Report:
    """Contents of the page and of its Markdown."""

    title: str
    subtitle: str  # what was reproduced with what
    statement: str  # which figures may be compared with the paper; at the top of the page
    comparable: bool  # whether anything may; decides whether tables give differences
    sections: Sequence[Section]  # in order


def write_page(out: Path, report: Report) -> None:
    """Write the page, an HTML file. The same content gives the same bytes.

    Raises:
        NrdferError: a picture is missing, is no PNG or has no alternative text.
        ValueError: an anchor is not one, or is there twice.
    """
    _check_anchors(report.sections)
    entries = [
        {
            "section": section,
            "tables": [(table.name, heading(table)) for table in section.tables],
            "fragments": [html_of(table, comparable=report.comparable) for table in section.tables],
            "pictures": [_embed(picture) for picture in section.drawn],
        }
        for section in report.sections
    ]
    found = templates("nrdfer.reporting")
    style = Markup(found.get_template("page.css").render())  # noqa: S704 - a file of this package
    values = {"report": report, "sections": entries, "style": style, "prose": prose, "inline": inline}
    write_whole(out, found.get_template("page.html").render(values).encode())


def _embed(picture: Picture) -> dict[str, object]:
    """The picture with its bytes inside, as the template shows it."""
    if not picture.alt.strip():
        raise NrdferError(f"{picture.path} has no alternative text; say in `alt` what the picture shows")
    try:
        data = picture.path.read_bytes()
    except OSError as error:
        raise NrdferError(
            f"the picture {picture.path} of {picture.title!r} cannot be read ({error.strerror}); "
            "make it, or leave it out"
        ) from None
    if not data.startswith(_SIGNATURE) or len(data) < 24:
        raise NrdferError(f"{picture.path} is not a PNG; only PNGs can be put into the page")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    uri = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    return {"about": picture, "uri": uri, "width": width, "height": height, "wide": width > _WIDE * height}


def _check_anchors(sections: Sequence[Section]) -> None:
    anchors = list(_anchors(sections))
    for anchor in anchors:
        if not _ANCHOR.fullmatch(anchor):
            raise ValueError(f"{anchor!r} cannot be an anchor: a lower-case letter, then letters, digits, - and _")
    if twice := [anchor for anchor, count in Counter([*_TAKEN, *anchors]).items() if count > 1]:
        raise ValueError(
            f"anchors must differ, also from tables' names and the page's own; these do not: {', '.join(twice)}"
        )


def _anchors(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        yield section.anchor
        yield from (table.name for table in section.tables)
