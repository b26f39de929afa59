"""Decoding a video into upright RGB frames, one at a time, each coded frame exactly once.

ffmpeg's defaults do not do this: it repeats and drops frames to reach a constant rate. Here every decoded
frame gets a timestamp of its own by counting, and ffmpeg is told to pass frames through; so a variable frame
rate neither adds nor loses frames nor stops the decoder. Whether the file was whole is `verdict`'s question;
encoding and choosing frames do not belong here.
"""

from __future__ import annotations

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.bounds import check_frame
from nrdfer.video.ffmpeg import ffmpeg_executable, passthrough_option, refuse_what_is_no_video
from nrdfer.video.verdict import MESSAGES, judge, read_complaints, refuse_cut

# Square pixels first (a DVD's are not), then a timestamp of 1000 seconds times the frame's number: far apart
# in every time base an encoder may choose, so that no two frames ever collide.
_FILTERS = "scale=w=round(iw*sar):h=ih:flags=bicubic+accurate_rnd+bitexact,setsar=1,settb=1000,setpts=N"

#: Larger pictures than any camera's (8192 x 8192) are a damaged header, or would cost gigabytes.
MAX_PIXELS = 1 << 26

_log = logging.getLogger(__name__)


def decode_command(path: Path, executable: str, *, threads: int = 1) -> list[str]:
    """The ffmpeg command line that writes a video's frames to its standard output as binary PPM pictures.

    PPM, because each picture then states its own size: no header of the video has to be trusted.
    """
    options = {
        "map": "0:V:0",  # a capital V leaves cover pictures aside
        "vf": _FILTERS,
        passthrough_option(executable): "passthrough",
        "format": "image2pipe",
        "c:v": "ppm",
        "pix_fmt": "rgb24",
    }
    # local files only: a playlist disguised as a video must not open connections
    source = ffmpeg.input(f"file:{path}", protocol_whitelist="file", threads=threads)
    output = source.output("pipe:1", **options).global_args("-v", MESSAGES, "-nostdin")
    return list(output.compile(cmd=executable))


def iter_frames(path: Path, *, threads: int = 1, notes: list[str] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield every coded frame once, in display order, upright and with square pixels: (H, W, 3) uint8 RGB.

    One frame is held at a time; ffmpeg gives all of them the size of the first. Closing the iterator early stops it.

    Args:
        path: the video.
        threads: ffmpeg's decoder threads; 1 suits one process for each core.
        notes: receives, at the end, what a researcher should know though the video is usable (a few damaged
            frames, a header that states more frames than decode); without it, that is logged as a warning.

    Raises:
        UnreadableVideoError: missing, empty, not a video, cut short, largely damaged, of changing size, or ffmpeg
            failed, if after some frames. Damage inside a frame that the decoder conceals is no error: the frame
            is there.
    """
    refuse_what_is_no_video(path)
    refuse_cut(path)
    count = 0
    # a file, not a pipe: a damaged video may complain more than a pipe holds while nobody reads it
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(  # noqa: S603 - no shell, the command is built above
            decode_command(path, ffmpeg_executable(), threads=threads),
            stdout=subprocess.PIPE,
            stderr=stderr,
            bufsize=1 << 20,
        )
        stdout = process.stdout
        if stdout is None:  # cannot be: stdout=PIPE
            raise UnreadableVideoError(f"{path}: no pipe to ffmpeg")
        try:
            while (frame := _read_ppm(stdout, path, count + 1)) is not None:
                count += 1
                yield frame
            code = process.wait()
        finally:
            stdout.close()
            if process.poll() is None:
                process.kill()
                process.wait()
        stderr.seek(0)
        note = judge(path, code, count, read_complaints(stderr))
    if note and notes is not None:
        notes.append(note)
    elif note:
        _log.warning("%s: %s", path, note)


def _read_ppm(stream: IO[bytes], path: Path, number: int) -> NDArray[np.uint8] | None:
    """One binary PPM picture as ffmpeg writes it (``P6 <width> <height> 255``), or None at the end."""
    if stream.readline() != b"P6\n":
        return None
    width, height = map(int, stream.readline().split())
    if width * height > MAX_PIXELS:
        raise UnreadableVideoError(
            f"{path}: pictures of {width} x {height} pixels are larger than any camera's; if they are real, convert "
            "the video to a smaller size"
        )
    check_frame(path, number, width, height)
    stream.readline()  # the largest value, 255 for rgb24
    frame = np.empty((height, width, 3), dtype=np.uint8)
    view = frame.data.cast("B")
    filled = 0
    while filled < len(view):
        got = stream.readinto(view[filled:])  # type: ignore[attr-defined]
        if not got:
            return None  # ffmpeg died within a picture; its exit status tells the rest
        filled += got
    return frame
