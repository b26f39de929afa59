"""Files that must have a known content before they are read."""

from __future__ import annotations

from pathlib import Path

from nrdfer.core.errors import WeightsError
from nrdfer.store import file_sha256


def require_sha256(path: Path, digest: str) -> None:
    """Check that a file is the one that was registered.

    Raises:
        WeightsError: it is missing, or has other content.
    """
    there = file_sha256(path) if path.is_file() else "no file"
    if there != digest:
        raise WeightsError(
            f"{path} is refused: its sha256 is {there[:12]}, but it was registered with {digest[:12]}; restore the "
            "file, or register the checkpoint again"
        )
