"""Checks of output paths before any work is done: is the path writable, and is it not an input?

What is there already, and who made it, belongs to `nrdfer.core.own_files`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import name_text


def refuse_unwritable(path: Path, *, folder: bool) -> None:
    """Refuse a place that cannot be written to, as far as this can be determined without writing.

    Args:
        path: a folder that receives files, or a file.
        folder: which of them.

    Raises:
        StoreError: it is a file and should be a folder, or the reverse; or its folder may not be written to.
    """
    name = name_text(path)
    try:
        if folder and os.path.lexists(path) and not path.is_dir():
            raise StoreError(f"{name} cannot be written to: it is a file, but a folder is needed")
        if not folder and path.is_dir():
            raise StoreError(f"{name} cannot be written to: it is a folder, but a file is needed")
        place = path if folder else path.parent
        place = next(parent for parent in (place, *place.absolute().parents) if os.path.lexists(parent))
        if not place.is_dir():
            raise StoreError(f"{name} cannot be written to: {name_text(place)} is no folder")
        if not os.access(place, os.W_OK | os.X_OK):
            raise StoreError(f"{name} cannot be written to: nothing may be created in {name_text(place)}")
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL
        raise StoreError(f"{name} cannot be written to: {getattr(error, 'strerror', None) or error}") from error


def refuse_input(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write results into a folder or over a file that is also an input.

    Raises:
        StoreError: `out` is one of the inputs.
    """
    for path in inputs:
        if path.exists() and out.exists() and path.samefile(out):
            raise StoreError(
                f"{name_text(out)} is an input and would receive results; give --out another place (a folder "
                "inside of it will do)"
            )


def in_words(place: Path, error: OSError) -> StoreError:
    """Error for a place that could not be written to."""
    message = f"{name_text(place)} cannot be written to ({error.strerror or error})"
    return StoreError(f"{message}; choose another place, or make room. What is finished there is whole")
