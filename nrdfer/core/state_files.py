"""Small state files: read if valid, else moved out of the way with a message, so that none can block a start.

A settings file that a user wrote is refused with a message instead, and never moved. What each file means belongs to
its reader.
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


def quarantine(path: Path) -> Path | None:
    """Move a file, or anything of its name, into `DAMAGED` beside it; None if that fails or there is none."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST])
    target = path.parent / DAMAGED / f"{name}-{time.time_ns()}"
    with contextlib.suppress(OSError):
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
        return target
    return None


def read_state(path: Path, understand: Callable[[Any], T], log: logging.Logger = _log) -> T | None:
    """Content of a small JSON file; None if it is missing, or damaged: then it is moved away and logged to `log`.

    A file that exists and may not be read is left where it is: nothing says that it is damaged.

    Args:
        path: of the file.
        understand: makes of parsed JSON what is wanted; raises ValueError, TypeError, KeyError, OverflowError or
            AttributeError if it is something else.
        log: receives a warning with the file's name and its defect.
    """
    try:
        return understand(_parse(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read and is left alone: %s", path, error)
        return None
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, RecursionError) as error:
        moved_to = quarantine(path)
        where = "could not be moved away" if moved_to is None else f"is now in {moved_to}"
        log.warning("%s is damaged (%s) and %s; its content is discarded", path, _brief(error), where)
        return None


def read_bounded(path: Path, most: int = MOST_BYTES) -> bytes:
    """A file's content; refuses a pipe, which would block, and a huge file, which would fill the memory.

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
