"""HTML of the quality page: figures, classes, excluded clips with their reasons, and a row for every clip.

Every word that comes from a corpus is escaped by the template. Figures and the picture are `quality`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nrdfer.core.html_templates import templates
from nrdfer.core.optional_output import not_there
from nrdfer.preprocessing.clip_files import SHEETS

PICTURE = "quality.png"


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
        folder: that will hold the page; a contact sheet in it is linked.
    """
    named = [*(row["clip_id"] for row in clips), *(clip_id for clip_id, _ in excluded)]
    sheets = {clip_id: sheet for clip_id in named if (folder / (sheet := f"{SHEETS}/{clip_id}.jpg")).is_file()}
    missing = "" if (folder / PICTURE).is_file() else str(not_there("The picture of this page", folder / PICTURE))
    values = {"title": title, "summary": summary, "classes": classes, "clips": clips, "excluded": excluded}
    template = templates("nrdfer.preprocessing").get_template("quality.html")
    return template.render(values, sheets=sheets, picture=PICTURE, missing=missing)
