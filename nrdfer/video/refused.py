"""Refusals of the operating system to read a video: the file is unreadable, or the machine is at fault now.

Keep out: what is read (``formats``, ``probe``, ``integrity``).
"""

from __future__ import annotations

from pathlib import Path

from nrdfer.core.atomic_files import OF_THE_MACHINE
from nrdfer.core.errors import MachineError, UnreadableVideoError


def refused(path: Path, error: OSError, how: str) -> UnreadableVideoError:
    """Error to raise.

    Args:
        path: the video.
        error: the system's.
        how: what could not be done, with a place for the system's own words.
    """
    message = f"{path}: {how.format(error.strerror)}"
    if error.errno in OF_THE_MACHINE:
        return MachineError(
            f"{message}. This is not the video's fault, so it is not excluded; run the same command again to continue"
        )
    return UnreadableVideoError(message)
