"""Decoding a video into upright RGB frames, one at a time, each coded frame exactly once.

ffmpeg's defaults do not do this: it repeats and drops frames to reach a constant rate. Here every decoded frame gets a
timestamp of its own by counting, and ffmpeg is set to pass frames through; so a variable frame rate neither adds nor
loses frames nor stops the decoder. Whether the file was whole belongs to `integrity`, filtering to `filters`; encoding
and choosing frames do not belong here.
"""

from __future__ import annotations

import logging
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nrdfer.core.errors import MachineError, UnreadableVideoError
from nrdfer.video.bounds import check_frame
from nrdfer.video.ffmpeg import ffmpeg_executable, ffmpeg_for, passthrough_option
from nrdfer.video.filters import Chain, chain_for
from nrdfer.video.formats import video_format
from nrdfer.video.inputs import MAX_PIXELS, compiled, executable_for, global_options, start, video_input
from nrdfer.video.integrity import judge, refuse_cut, refuse_large
from nrdfer.video.messages import MESSAGES, Complaints, Listener
from nrdfer.video.patience import LOOK, Patience
from nrdfer.video.probe import VideoInfo, listing_of, parse_listing
from nrdfer.video.shapes import coded_aspects

PATIENCE = 120.0  # seconds of work on one frame

_log = logging.getLogger(__name__)


def decode_command(path: Path, executable: str, *, threads: int = 1) -> list[str]:
    """The ffmpeg command line that writes a video's frames to its standard output as binary PPM pictures.

    PPM, because each picture then states its own size: no header of the video has to be trusted.

    Raises:
        UnreadableVideoError: the file is at a glance no video.
    """
    return _command(path, video_format(path), chain_for(_facts(path), executable), threads)


def _command(path: Path, demuxer: str, chain: Chain, threads: int) -> list[str]:
    options = {
        "map": "0:V:0",  # a capital V excludes cover pictures
        "vf": chain.filters,
        passthrough_option(chain.executable): "passthrough",
        "format": "image2pipe",
        "c:v": "ppm",
        "pix_fmt": "rgb24",
    }
    output = video_input(demuxer, threads=threads).output("pipe:1", **options)
    return compiled(output.global_args("-v", MESSAGES, *global_options()), chain.executable, path)


def iter_frames(
    path: Path, *, threads: int = 1, notes: list[str] | None = None, heard: list[Complaints] | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Yield every coded frame once, in display order, upright and with square pixels: (H, W, 3) uint8 RGB.

    One frame is held at a time; ffmpeg gives all of them the size of the first. Closing the iterator early stops it.
    Interlaced frames are deinterlaced, HDR is tone-mapped; progressive frames of ordinary brightness are as coded.

    Args:
        path: the video.
        threads: ffmpeg's decoder threads; 1 suits one process for each core.
        notes: receives, at the end, what a researcher should know though the video is usable (a few damaged
            frames, a header that states more frames than decode, what was done to pictures); without it, that is
            logged as a warning.
        heard: receives, at the end, ffmpeg's messages, which have the frames' times (`timestamps.frame_times`).

    Raises:
        UnreadableVideoError: missing, empty, not a video, cut short, largely damaged, of changing size or shape, or
            ffmpeg failed, if after some frames.
        MachineError: ffmpeg was ended from elsewhere; nothing is known about the video.
    """
    demuxer = video_format(path)
    refuse_cut(path)
    info = _facts(path)
    if info is not None and info.coded[0] * info.coded[1] > MAX_PIXELS:
        refuse_large(path, *info.coded)
    chain = _chain(path, demuxer, info)
    count = 0
    process = start(_command(path, demuxer, chain, threads), stdout=subprocess.PIPE)
    stdout, stderr = process.stdout, process.stderr
    if stdout is None or stderr is None:  # cannot be: they are pipes
        raise UnreadableVideoError(f"{path}: no pipe to ffmpeg")
    listener = Listener(stderr)  # type: ignore[arg-type]
    try:
        reader = _Reader(stdout, path, Patience(path, process, PATIENCE))
        while (frame := reader.picture(count + 1)) is not None:
            count += 1
            yield frame
        code = process.wait()
    finally:
        stdout.close()
        if process.poll() is None:
            process.kill()
            process.wait()
        complaints = listener.complaints()
    if heard is not None:
        heard.append(complaints)
    for shape in coded_aspects(path, demuxer, info):
        complaints.aspects[shape] = None
    remarks = [judge(path, code, count, complaints), *chain.notes, *_of_pictures(count, chain, complaints)]
    note = "; ".join(filter(None, remarks))
    if note and notes is not None:
        notes.append(note)
    elif note:
        _log.warning("%s: %s", path, note)


def _facts(path: Path) -> VideoInfo | None:
    try:
        return parse_listing(listing_of(path))
    except MachineError:
        raise  # without what it says of itself, its pictures would be others
    except UnreadableVideoError:
        return None  # the decoder will say what is wrong


def _chain(path: Path, demuxer: str, info: VideoInfo | None) -> Chain:
    executable = executable_for(path, demuxer, ffmpeg_executable())
    if info is not None and info.codec not in ("none", "unknown"):
        able = ffmpeg_for("codecs", [info.codec], executable)
        if able is None:
            raise UnreadableVideoError(
                f"{path}: no ffmpeg on this machine decodes {info.codec}; install a fuller one (`ffmpeg -codecs` lists "
                "what it knows), or convert the video"
            )
        executable = able
    return chain_for(info, executable)


def _of_pictures(count: int, chain: Chain, complaints: Complaints) -> list[str]:
    """Notes on the frames themselves."""
    notes = []
    if complaints.interlaced:
        done = "they were deinterlaced" if chain.deinterlaces else "they were left so, with combs where something moves"
        notes.append(f"{min(complaints.interlaced, count)} of {count} frames are interlaced; {done}")
    if not chain.maps_tones and not chain.notes and {"smpte2084", "arib-std-b67"} & set(complaints.transfers):
        notes.append("some frames are HDR, though the file does not say so; their brightness was not mapped")
    return notes


class _Reader:
    """Reads pictures from ffmpeg, with a time limit."""

    def __init__(self, stream: IO[bytes], path: Path, patience: Patience) -> None:
        self._stream = stream
        self._path = path
        self._patience = patience
        self._poll = select.poll()
        self._poll.register(stream, select.POLLIN)

    def picture(self, number: int) -> NDArray[np.uint8] | None:
        """One binary PPM picture as ffmpeg writes it (``P6 <width> <height> 255``), or None at the end."""
        self._patience.renew()
        if self._line() != b"P6\n":
            return None
        width, height = map(int, self._line().split())
        if width * height > MAX_PIXELS:
            refuse_large(self._path, width, height)
        check_frame(self._path, number, width, height)
        self._line()  # the largest value, 255 for rgb24
        frame = np.empty((height, width, 3), dtype=np.uint8)
        view = frame.data.cast("B")
        filled = 0
        while filled < len(view):
            self._wait()
            got = self._stream.readinto(view[filled:])  # type: ignore[attr-defined]
            if not got:
                return None  # ffmpeg died within a picture; its exit status has the cause
            filled += got
        return frame

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            self._wait()
            byte = self._stream.read(1)
            if not byte:
                return b""
            line += byte
        return line

    def _wait(self) -> None:
        while not self._poll.poll(LOOK * 1000):
            self._patience.check("given a picture")
