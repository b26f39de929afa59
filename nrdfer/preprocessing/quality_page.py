"""The quality page's HTML: figures, classes, clips set aside with their reasons, and a row for every clip.

Every word that comes from a corpus is escaped here. Figures and the picture are `quality`'s.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.core.optional_output import not_there
from nrdfer.core.plain_text import lines
from nrdfer.preprocessing.clip_files import SHEETS

PICTURE = "quality.png"
_STYLE = (
    "body{font-family:sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse}"
    "td,th{padding:.2em .7em;border-bottom:1px solid #ddd;text-align:right}"
    "td:first-child,th:first-child,.words td{text-align:left}"
)


def page(
    title: str,
    summary: Mapping[str, Any],
    classes: Mapping[str, Mapping[str, int]],
    clips: Sequence[Mapping[str, Any]],
    excluded: Sequence[tuple[str, str]],
    folder: Path,
) -> str:
    """The page as text.

    Args:
        title: of the page.
        summary: figure -> value.
        classes: split -> emotion -> clips.
        clips: one row each, all with the same columns, in the order to show them; ``clip_id`` comes first.
        excluded: clips that cannot be used, and why.
        folder: where the page will lie; a contact sheet that is there is linked.
    """
    facts = "".join(_row([_text(name.replace("_", " ")), _text(value)]) for name, value in summary.items())
    emotions = list(next(iter(classes.values()), {}))
    of_classes = _head(["split", *emotions]) + "".join(
        _row([_text(split), *map(_text, counts.values())]) for split, counts in classes.items()
    )
    reasons = "".join(_row([_link(clip_id, folder), _text(reason)]) for clip_id, reason in excluded)
    rows = "".join(_row([_link(row["clip_id"], folder), *map(_text, list(row.values())[1:])]) for row in clips)
    columns = _head([name.replace("_", " ") for name in clips[0]]) if clips else ""
    picture = f'<img src="{PICTURE}" alt="distributions over the clips"/>'
    if not (folder / PICTURE).is_file():
        picture = _text(not_there("The picture of this page", folder / PICTURE))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{_text(title)}</h1>\n<table>{facts}</table>\n"
        f"<p>{picture}</p>\n"
        f"<h2>Clips of each class</h2>\n<table>{of_classes}</table>\n"
        f'<h2>Set aside ({len(excluded)})</h2>\n<table class="words">{_head(["clip", "reason"])}{reasons}</table>\n'
        f"<h2>Clips ({len(clips)}), what to look at first</h2>\n<table>{columns}{rows}</table>\n</body></html>\n"
    )


def _head(names: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<th>{_text(name)}</th>" for name in names) + "</tr>\n"


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>\n"


def _link(clip_id: str, folder: Path) -> str:
    sheet = f"{SHEETS}/{clip_id}.jpg"
    return f'<a href="{_text(sheet)}">{_text(clip_id)}</a>' if (folder / sheet).is_file() else _text(clip_id)


def _text(value: object) -> str:
    return "" if value is None else html.escape(lines(str(value)))
