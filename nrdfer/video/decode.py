"""Decoding a video into upright RGB frames, one at a time, each coded frame exactly once.

ffmpeg's defaults do not do this: it repeats and drops frames to reach a constant rate. Here every decoded
frame gets a timestamp of its own by counting, and ffmpeg is told to pass frames through; so a variable frame
rate neither adds nor loses frames nor stops the decoder. Encoding and choosing frames do not belong here.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from nrdfer.errors import UnreadableVideoError
from nrdfer.video.ffmpeg import ffmpeg_executable, last_lines, passthrough_option, refuse_what_is_no_video

# Square pixels first (a DVD's are not), then a timestamp of 1000 seconds times the frame's number: far apart
# in every time base an encoder may choose, so that no two frames ever collide.
_FILTERS = "scale=w=round(iw*sar):h=ih:flags=bicubic+accurate_rnd+bitexact,setsar=1,settb=1000,setpts=N"

#: What ffmpeg says when a file ends before its own index does; it still exits with status 0.
_CUT_SHORT = (b"partial file", b"moov atom not found")


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
    output = source.output("pipe:1", **options).global_args("-v", "error", "-nostdin")
    return list(output.compile(cmd=executable))


def iter_frames(path: Path, *, threads: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Yield every coded frame once, in display order, upright and with square pixels: (H, W, 3) uint8 RGB.

    One frame is held at a time. Closing the iterator early stops ffmpeg.

    Args:
        path: the video.
        threads: ffmpeg's decoder threads; 1 suits one process for each core.

    Raises:
        UnreadableVideoError: missing, empty, not a video, cut short, or ffmpeg failed, if after some frames.
            Damage inside a whole file that the decoder conceals is no error: the frame is there.
    """
    refuse_what_is_no_video(path)
    _refuse_cut_avi(path)
    command = decode_command(path, ffmpeg_executable(), threads=threads)
    count = 0
    # a file, not a pipe: a damaged video may complain more than a pipe holds while nobody reads it
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, bufsize=1 << 20)  # noqa: S603
        stdout = process.stdout
        if stdout is None:  # cannot be: stdout=PIPE
            raise UnreadableVideoError(f"{path}: no pipe to ffmpeg")
        try:
            while (frame := _read_ppm(stdout)) is not None:
                count += 1
                yield frame
            code = process.wait()
        finally:
            stdout.close()
            if process.poll() is None:
                process.kill()
                process.wait()
        stderr.seek(0)
        complaints = stderr.read()
    if code != 0:
        raise UnreadableVideoError(
            f"{path}: ffmpeg stopped with exit status {code} after {count} frames: {last_lines(complaints)}"
        )
    if any(mark in complaints for mark in _CUT_SHORT):
        raise UnreadableVideoError(
            f"{path}: the file is cut short ({count} frames were decoded before its end); copy it again"
        )
    if count == 0:
        raise UnreadableVideoError(f"{path}: not one frame could be decoded: {last_lines(complaints)}")


def _read_ppm(stream: IO[bytes]) -> NDArray[np.uint8] | None:
    """One binary PPM picture as ffmpeg writes it (``P6 <width> <height> 255``), or None at the end."""
    if stream.readline() != b"P6\n":
        return None
    width, height = map(int, stream.readline().split())
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


def _refuse_cut_avi(path: Path) -> None:
    """AVI states its length up front, and ffmpeg plays a shortened file to its end without a word."""
    with path.open("rb") as file:
        head = file.read(12)
    if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return
    stated, size = struct.unpack("<I", head[4:8])[0] + 8, path.stat().st_size
    if stated > size + 1:  # a pad byte may be missing
        raise UnreadableVideoError(f"{path}: the file is cut short ({size:,} of {stated:,} bytes); copy it again")
