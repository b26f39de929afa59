"""sha256 of files, each read once however many chains lead to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nrdfer.store import file_sha256


class Hashes:
    """A cache of file digests.

    Args:
        quick: only look whether files are there; nothing is read.
        seen: called with the number of files hashed so far.
    """

    def __init__(self, *, quick: bool = False, seen: Callable[[int], None] | None = None) -> None:
        self.quick = quick
        self._seen = seen
        self._known: dict[str, str] = {}
        self._looked = 0

    def problem(self, path: str | Path, expected: str, size: int | None = None) -> str:
        """Description of what is wrong with a file; empty if nothing is.

        Args:
            path: of the file.
            expected: its sha256.
            size: bytes it must have, if known.
        """
        self._looked += 1
        if self._seen is not None:
            self._seen(self._looked)
        place = Path(path)
        try:
            there = place.stat().st_size
        except OSError as error:
            return "missing" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        if size is not None and there != size:
            return f"has {there} bytes instead of {size}"
        if self.quick:
            return ""
        key = str(path)
        if key not in self._known:
            try:
                self._known[key] = file_sha256(place)
            except OSError as error:
                return f"cannot be read: {error.strerror}"
        found = self._known[key]
        return "" if found == expected else f"has other content: sha256 {found[:12]}, recorded {expected[:12]}"
