"""What only decorates a result (pictures, sheets): it may fail, and costs nothing but itself.

Whoever asks for a decoration says in the result what is missing and why. Damage of the store, a full disk and a stop
that was asked for are no failures of a picture and go through.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nrdfer.core.errors import DeviceError, StoreError, TrainingStopped
from nrdfer.core.plain_text import one_line

NOTE = ".txt"  # suffix of the text that stands in for a picture
_log = logging.getLogger(__name__)
_MORE_THAN_A_PICTURE = (StoreError, DeviceError, TrainingStopped)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_LONGEST = 300  # characters of a reason

Made = TypeVar("Made")


@dataclass(frozen=True)
class Missing:
    """A decoration that could not be made."""

    what: str
    why: str  # one line

    def __str__(self) -> str:
        return f"{self.what} could not be made: {self.why}"


def attempt(what: str, make: Callable[[], Made]) -> Made | Missing:
    """What `make` returns, or why it could not; a failure is logged, its traceback at the level of debugging.

    Args:
        what: a name for it, as it begins a sentence.
        make: draws it.

    Raises:
        StoreError: a file of the store is damaged, which matters more than a picture of it.
        OSError: there is no room to write.
    """
    try:
        return make()
    except _MORE_THAN_A_PICTURE:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise
        missing = Missing(what, reason(error))
        _log.warning("%s", missing)
        _log.debug("how it failed", exc_info=True)
        return missing


def draw(what: str, path: Path, make: Callable[[], Made]) -> Made | Missing:
    """`attempt` of a picture with a file; one that fails leaves a text of the same name that says why."""
    made = attempt(what, make)
    if isinstance(made, Missing):
        path.unlink(missing_ok=True)  # half of a picture is none
        path.with_suffix(NOTE).write_text(f"{made}\n", encoding="utf-8")
    return made


def not_there(what: str, path: Path) -> Missing:
    """What `draw` said of a picture that an earlier step was to make."""
    note = path.with_suffix(NOTE)
    text = one_line(note.read_text(encoding="utf-8").strip()) if note.is_file() else f"{path} is not there"
    return Missing(what, text)


def reason(error: Exception) -> str:
    """An error's own words on one line, with its kind if they do not explain themselves."""
    text = one_line(" ".join(str(error).split()))
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
