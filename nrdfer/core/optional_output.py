"""Optional output (pictures, contact sheets): its failure is reported and never ends the work that it illustrates.

The caller states in the result what is missing and why. Damage of the store, a full disk and a requested stop are not
failures of a picture and are raised.
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

NOTE = ".txt"  # suffix of the text that replaces a picture
_log = logging.getLogger(__name__)
_MORE_THAN_A_PICTURE = (StoreError, DeviceError, TrainingStopped)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_LONGEST = 300  # characters of a reason

Made = TypeVar("Made")


@dataclass(frozen=True)
class Missing:
    """An optional output that could not be made."""

    what: str
    why: str  # one line

    def __str__(self) -> str:
        return f"{self.what} could not be made: {self.why}"


def attempt(what: str, make: Callable[[], Made]) -> Made | Missing:
    """The result of `make`, or the reason why it failed; a failure is logged, its traceback at debug level.

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
    """`attempt` for a picture with a file; a failure leaves a text file of the same name with the reason."""
    made = attempt(what, make)
    if isinstance(made, Missing):
        path.unlink(missing_ok=True)  # half of a picture is none
        path.with_suffix(NOTE).write_text(f"{made}\n", encoding="utf-8")
    return made


def not_there(what: str, path: Path) -> Missing:
    """The reason that `draw` recorded for a picture that an earlier step should have made."""
    note = path.with_suffix(NOTE)
    text = one_line(note.read_text(encoding="utf-8").strip()) if note.is_file() else f"{path} is not there"
    return Missing(what, text)


def reason(error: Exception) -> str:
    """An error's message on one line, with its type if the message does not explain itself."""
    text = one_line(" ".join(str(error).split()))
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
