"""Pictures as metadata that the UI shows: embedded, because a page that is not ours may not open files.

Keep out: drawing them (``nrdfer``).
"""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from nrdfer.core.markdown_text import plain
from nrdfer.core.optional_output import not_there

_CELL = 24  # pixels of a cell in a small picture of a confusion matrix
_LIGHTEST = 232  # darker than the page, so that the matrix has an edge
_DARKEST_BGR = (178, 114, 0)  # of Okabe and Ito's palette
_WIDTH = 900  # pixels of a photograph in the event log


def picture(path: Path) -> dg.MarkdownMetadataValue:
    """A PNG file as metadata that the UI shows as a picture; or, if it could not be drawn, the reason."""
    if not path.is_file():
        return dg.MetadataValue.md(plain(str(not_there(path.stem, path))))
    data = base64.b64encode(path.read_bytes()).decode()
    return dg.MetadataValue.md(f"![{path.stem}](data:image/png;base64,{data})")


def glance(confusion: Sequence[Sequence[int]]) -> dg.MarkdownMetadataValue:
    """A confusion matrix without words: dark is often. The UI shows Markdown below a thousand characters at once."""
    import cv2
    import numpy as np

    counts = np.array(confusion, np.float64)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    colours = _LIGHTEST - shares[..., None] * (_LIGHTEST - np.array(_DARKEST_BGR))
    levels = (np.rint(colours / 8) * 8).clip(0, 255).astype(np.uint8)  # fewer levels are fewer bytes
    pixels = levels.repeat(_CELL, 0).repeat(_CELL, 1)
    data = base64.b64encode(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()).decode()
    return dg.MetadataValue.md(f"![rows: true emotion; columns: predicted](data:image/png;base64,{data})")


def contact_sheet(published: Path) -> dict[str, Any]:
    """The contact sheet of the clip in which the target is seen most rarely; nothing if there is no clip."""
    from nrdfer.faces import contact_sheet as sheets
    from nrdfer.preprocessing.clip_files import fewest_faces, read_clip

    clip_id = fewest_faces(published)
    if clip_id is None:
        return {}
    record, crops = read_clip(published, clip_id)
    sheet = sheets.contact_sheet(crops, record.frames, title=clip_id)
    return {"contact_sheet": _photograph("contact sheet", sheet[..., ::-1]), "contact_sheet_of": clip_id}


def small_picture(path: Path) -> dg.MarkdownMetadataValue | None:
    """A picture small enough for the event log, which keeps a copy of it; None if there is none."""
    import cv2
    import numpy as np

    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except (OSError, cv2.error):
        picture = None
    if picture is None:  # it is shown, and decides nothing
        return None
    return _photograph(path.parent.name, picture)


def _photograph(name: str, picture_bgr: Any) -> dg.MarkdownMetadataValue:
    """A picture (H, W, 3) as a JPEG of `_WIDTH`."""
    import cv2
    import numpy as np

    height = max(1, round(picture_bgr.shape[0] * _WIDTH / picture_bgr.shape[1]))
    small = cv2.resize(np.ascontiguousarray(picture_bgr), (_WIDTH, height), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()).decode()
    return dg.MetadataValue.md(f"![{name}](data:image/jpeg;base64,{data})")
