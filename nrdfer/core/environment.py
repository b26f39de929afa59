"""Variables of the environment as values: a number or a folder, or an error that names the variable.

Where a number or a folder is expected, an empty variable counts as not set. The variables themselves belong to their
readers.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from nrdfer.core.coerce import brief
from nrdfer.core.errors import NrdferError


def text(name: str, default: str = "") -> str:
    """Value of a variable; an empty text is a value, too."""
    return os.environ.get(name, default)


def number(name: str, default: float, *, least: float, most: float) -> float:
    """Value of a variable as a number from `least` to `most`.

    Raises:
        NrdferError: it is none; says what is allowed.
    """
    given = text(name)
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not least <= value <= most:  # nor is NaN
        raise NrdferError(f"{name}={brief(given)} is not valid: give a number from {least:,g} to {most:,g}")
    return value


def whole(name: str, default: int | None, *, least: int, most: int) -> int:
    """Value of a variable as a whole number from `least` to `most`; one without a default must be set.

    Raises:
        NrdferError: it is none; says what is allowed.
    """
    given = text(name)
    if not given and default is not None:
        return default
    plain = given.isascii() and given.isdigit() and len(given) <= _DIGITS
    if not plain or not least <= int(given) <= most:
        raise NrdferError(f"{name}={brief(given)} is not valid: give a whole number from {least} to {most}")
    return int(given)


def folder(name: str) -> Path | None:
    """A folder or file, with ``~`` expanded to a home folder; None if the variable is not set.

    Raises:
        NrdferError: there is no such home.
    """
    given = text(name)
    if not given:
        return None
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise NrdferError(
            f"{name}={brief(given)} is not valid: there is no such user; give a folder's whole path"
        ) from error


_DIGITS = 18  # a longer number is larger than any of a machine
