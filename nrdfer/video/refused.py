"""What the system's refusal to read a video means: it cannot be read, or this machine cannot do so now.

Keep out: what is read (``formats``, ``probe``, ``integrity``).
"""

from __future__ import annotations

from pathlib import Path

from nrdfer.core.atomic_files import OF_THE_MACHINE
from nrdfer.core.errors import MachineError, UnreadableVideoError


def refused(path: Path, error: OSError, how: str) -> UnreadableVideoError:
    """The error to raise.

    Args:
        path: the video.
        error: the system's.
        how: what could not be done, with a place for the system's own words.
    """
    message = f"{path}: {how.format(error.strerror)}"
    if error.errno in OF_THE_MACHINE:
        return MachineError(
            f"{message}. That says nothing about the video, so it is not set aside; the same line goes on with what is "
            "not finished"
        )
    return UnreadableVideoError(message)
