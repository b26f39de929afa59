"""Pixel aspect ratios that a broadcast stream states and may change along the way.

Broadcasters switch between 4:3 and 16:9 within a stream: in its sequence headers, while its container does not change
and ffmpeg keeps the first shape. So the headers of streams that can do so are read, without decoding pictures.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from nrdfer.video.inputs import executable_for, global_options, input_options, start
from nrdfer.video.messages import MAX_LINE
from nrdfer.video.probe import VideoInfo

#: Demuxers of streams without one header for all.
_STREAMS = frozenset({"mpegts", "mpeg", "mpegvideo", "h264", "hevc"})
_HEADERS = {"mpeg2video": 0xB3, "h264": 7, "hevc": 33}  # which units of a codec state the shape
_FIELD = re.compile(rb"(aspect_ratio_information|aspect_ratio_idc|sar_width|sar_height) .* = (\d+)\s*$")
#: Shapes by number, ITU-T H.264 table E-1.
_LISTED = ((0, 1), (1, 1), (12, 11), (10, 11), (16, 11), (40, 33), (24, 11), (20, 11), (32, 11), (80, 33), (18, 11),
           (15, 11), (64, 33), (160, 99), (4, 3), (3, 2), (2, 1))  # fmt: skip
_MPEG2 = {2: (4, 3), 3: (16, 9), 4: (221, 100)}  # of the whole picture
_OWN = 255


def coded_aspects(path: Path, demuxer: str, info: VideoInfo | None) -> list[tuple[int, int]]:
    """Pixel aspect ratios, in the order in which they first occur; none where nothing is known."""
    if info is None or demuxer not in _STREAMS or info.codec not in _HEADERS:
        return []
    executable = executable_for(path, demuxer)
    unit = _HEADERS[info.codec]
    command = [
        *(executable, "-v", "info", *global_options(), *input_options(path, demuxer), "-map", "0:V:0", "-c", "copy"),
        *("-bsf:v", f"filter_units=pass_types={unit},trace_headers", "-f", "null", "-"),
    ]
    process = start(command, stdout=subprocess.DEVNULL)
    shapes: dict[tuple[int, int], None] = {}
    wide = 0
    if process.stderr is None:  # cannot be: it is a pipe
        return []
    with process, open(process.stderr.fileno(), "rb", closefd=False) as said:
        while line := said.readline(MAX_LINE):
            field = _FIELD.search(line)
            if field is None:
                continue
            name, value = field[1], int(field[2])
            if name == b"sar_width":
                wide = value
            elif name == b"sar_height":
                shapes[wide, value] = None
            elif name == b"aspect_ratio_information":
                shapes[_of_picture(value, info.coded)] = None
            elif value != _OWN and value < len(_LISTED):
                shapes[_LISTED[value]] = None
    return list(shapes) if len(shapes) < 64 else []


def _of_picture(number: int, coded: tuple[int, int]) -> tuple[int, int]:
    """The pixel aspect ratio from that of the whole picture, as MPEG-2 states it."""
    width, height = coded
    wide, high = _MPEG2.get(number, (width, height))
    return wide * height, high * width
