"""One file's entry in a manifest or receipt: its length and the sha256 of its content.

Keep here: making and checking one entry. Keep out: lists of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nrdfer.core.safe_names import stays_below
from nrdfer.store.verified import checked_sha256, is_content

Verify = Literal["sizes", "full"]


def entry_of(path: Path) -> dict[str, Any]:
    """Entry of a file."""
    return {"bytes": path.stat().st_size, "sha256": checked_sha256(path)}


def is_entry(entry: object) -> bool:
    """Whether a value is a valid entry of a file."""
    return (
        isinstance(entry, Mapping)
        and isinstance(entry.get("bytes"), int)
        and not isinstance(entry["bytes"], bool)
        and isinstance(entry.get("sha256"), str)
    )


def are_entries(files: object) -> bool:
    """Whether a value is a valid mapping of a folder's files, by relative path, to their entries."""
    return isinstance(files, dict) and all(map(is_entry, files.values())) and all(map(stays_below, files))


def problem_of(folder: Path, name: str, entry: Mapping[str, Any], source: str, verify: Verify = "full") -> str | None:
    """Description of what is wrong with a file; None if nothing is.

    Args:
        folder: that holds it.
        name: of the file, relative to `folder`.
        entry: its size and sha256.
        source: name of the file that holds the entry, for the message.
        verify: ``sizes`` checks presence and length; ``full`` also the content.
    """
    path = folder / name
    try:
        if not path.is_file():
            return f"{name} is missing"
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"{name} has {size} bytes instead of {entry['bytes']}"
        if verify == "full" and not is_content(path, entry["sha256"]):
            return f"{name} has other content than its sha256 in {source}"
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        return f"{name} cannot be read: {error}"
    return None
