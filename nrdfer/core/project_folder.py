"""A folder that is this project's, known by its ``dagster.yaml``.

Keep out: which folder a command takes where there is none (``pipelines/project/folder.py``).
"""

from __future__ import annotations

import re
from pathlib import Path

SETTINGS = "dagster.yaml"
_OURS = re.compile(r"^\s*module:\s*[\"']?pipelines\.", re.MULTILINE)


def project_above(folder: Path) -> Path | None:
    """The folder, or the nearest above it, whose ``dagster.yaml`` names this project's modules; None: there is none."""
    return next((place for place in (folder, *folder.absolute().parents) if _is_ours(place)), None)


def _is_ours(folder: Path) -> bool:
    try:
        return _OURS.search((folder / SETTINGS).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeError):
        return False
