"""Input options of ffmpeg: one format, no other file, any name, bounded memory.

Every command line that reads a file of the user's takes its options from here. Command lines are lists of text; bytes
of a name that are not UTF-8 are surrogate escapes in it, which the operating system receives unchanged. ffmpeg-python,
which builds command lines, hashes its arguments as UTF-8; so it gets a placeholder, which `compiled` replaces with the
name.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from nrdfer.core.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, ffmpeg_for

#: Larger pictures than any camera's (8192 x 8192) are a damaged header, or would cost gigabytes.
MAX_PIXELS = 1 << 26
MAX_BLOCK = 1 << 30  # bytes that ffmpeg may ask for at a time
MAX_MEMORY = (1 << 31) - (1 << 26)  # bytes in all
_NO_REFERENCES = {"enable_drefs": "0", "use_absolute_path": "0"}  # a MOV may refer to pictures in other files
STAND_IN = "file:name"  # what ffmpeg-python is given instead of a name


def input_options(path: Path, demuxer: str, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> list[str]:
    """The options that open a video and nothing else, for any content.

    Args:
        path: any name; it may begin with "-" and hold ":" or "%".
        demuxer: of `nrdfer.video.formats.video_format`.
        max_pixels: larger pictures are not decoded.
        threads: of the decoder.
    """
    options = _options(demuxer, max_pixels, threads)
    return [*(part for name, value in options.items() for part in (f"-{name}", value)), "-i", f"file:{path}"]


def video_input(demuxer: str, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> Any:
    """The same as a node of ffmpeg-python, for command lines that `compiled` ends."""
    return ffmpeg.input(STAND_IN, **_options(demuxer, max_pixels, threads))


def compiled(output: Any, executable: str, path: Path) -> list[str]:
    """The command line of a node whose input is `video_input`, or whose output is `STAND_IN`.

    Args:
        output: of ffmpeg-python.
        executable: ffmpeg.
        path: the file, of any name.
    """
    return [f"file:{path}" if part == STAND_IN else part for part in output.compile(cmd=executable)]


def _options(demuxer: str, max_pixels: int, threads: int) -> dict[str, str]:
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": demuxer,
        "f": demuxer,
        **(_NO_REFERENCES if demuxer == "mov" else {}),
        "max_pixels": str(max_pixels),
        "threads": str(threads),
    }


def global_options() -> list[str]:
    """The options that hold for a whole command."""
    return ["-hide_banner", "-nostdin", "-nostats", "-max_alloc", str(MAX_BLOCK)]


def executable_for(path: Path, demuxer: str, first: str | None = None) -> str:
    """An ffmpeg that can open files of this format.

    Raises:
        UnreadableVideoError: there is none.
    """
    found = ffmpeg_for("demuxers", [demuxer], first or ffmpeg_executable())
    if found is None:
        raise UnreadableVideoError(
            f"{path}: no ffmpeg on this machine opens files of the kind {demuxer}; install a newer or fuller one, or "
            "convert the video to MP4"
        )
    return found


def start(command: Sequence[str], *, stdout: int) -> subprocess.Popen[bytes]:
    """Start ffmpeg with bounded memory and its messages in a pipe, which must be read."""
    process = subprocess.Popen(  # noqa: S603 - no shell, the command is built by this package
        command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, bufsize=0
    )
    if sys.platform == "linux":  # elsewhere only ffmpeg's own limits hold
        with contextlib.suppress(OSError, ValueError):  # it has ended already, or may not have less
            resource.prlimit(process.pid, resource.RLIMIT_DATA, (MAX_MEMORY, MAX_MEMORY))
    return process
