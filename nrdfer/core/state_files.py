"""Small state files: read if they are what they should be, else put aside in words, so that none ever ends a start.

A file of settings that its user wrote is refused in words instead, and never moved. What each file means is its
reader's business.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

DAMAGED = ".damaged"  # folder beside the file
MOST_BYTES = 64 << 20  # far more than any of them has
_LONGEST = 200  # bytes of a name that gets longer by its time
_log = logging.getLogger(__name__)
T = TypeVar("T")


def set_aside(path: Path) -> Path | None:
    """Move a file, or what lies in its place, into `DAMAGED` beside it; None if that cannot be done or it is gone."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
    target = path.parent / DAMAGED / f"{name}-{time.time_ns()}"
    with contextlib.suppress(OSError):
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        return target
    return None


def read_state(path: Path, understand: Callable[[Any], T], log: logging.Logger = _log) -> T | None:
    """What a small JSON file says; None if there is none, or it is damaged: then it is set aside, and `log` is told.

    A file that exists and may not be read is left where it is: nothing says that it is damaged.

    Args:
        path: of the file.
        understand: makes of parsed JSON what is wanted; raises ValueError, TypeError, KeyError, OverflowError or
            AttributeError if it is something else.
        log: told what was wrong, by the file's name.
    """
    try:
        return understand(_parse(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read and is left alone: %s", path, error)
        return None
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
        moved_to = set_aside(path)
        where = "could not be moved away" if moved_to is None else f"now lies in {moved_to}"
        log.warning("%s is damaged (%s) and %s; what it said is forgotten", path, _brief(error), where)
        return None


def read_bounded(path: Path, most: int = MOST_BYTES) -> bytes:
    """A file's content, where a pipe would be waited for and a huge file would take the memory.

    Raises:
        OSError: it is not there, or may not be read.
        ValueError: it is no file, or larger than `most` bytes.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no file")
    if found.st_size > most:
        raise ValueError(f"it has {found.st_size:,} bytes")
    return path.read_bytes()


def _parse(path: Path) -> Any:
    return json.loads(read_bounded(path).decode(), parse_float=_number, parse_constant=_number)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number that a file may hold")
    return number


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
