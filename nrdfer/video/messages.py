"""Parser of what ffmpeg prints while it decodes: frames, their times and shapes, complaints.

Lines are distinguished by their beginnings, because names and comments from inside the file are printed, too. The
conclusions belong to `integrity` and `timestamps`.
"""

from __future__ import annotations

import io
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from nrdfer.video.ffmpeg import last_lines

#: ffmpeg's log level (-v): all messages, because a change of size is no error to it; with the level in each line.
MESSAGES = "repeat+level+verbose"
#: The filter that prints a line for each frame; it changes nothing, and comes first.
FRAME_LINES = "showinfo=checksum=0"
MAX_LINE = 1 << 16
#: What it says when a signal that it handles ends it.
SIGNALLED = re.compile(rb"^(?:\[\w+\] )?(?:Exiting normally, received signal \d+|Received > 3 system signals)")

_CUT_SHORT = (b"partial file", b"File ended prematurely")
_NO_INDEX = b"moov atom not found"
_NO_PICTURES = b"matches no streams"
_NO_MEMORY = b"Cannot allocate memory"
#: The reader lost its way inside the file; how much it left out is not known.
_LOST_TRACK = (b"exceeds containing master element", b"exceeds max length", b"Error during demuxing")
#: One packet, one frame, that is not among the decoded; the second is ffmpeg's message before 6.1.
_LOST_FRAME = (b"Error submitting packet to decoder", b"Error while decoding stream", b"Decoding error")
#: A frame that is there, but not as it was coded: the decoder painted over what it could not read.
_CONCEALED = b"corrupt decoded frame"
_LEVEL = re.compile(rb"^((?:\[[^\]]* @ [^\]]*\] )*)\[(\w+)\] ")
_SIZE = re.compile(rb"input from stream \S+ @ \S+ (?:\[\w+\] )?w:(\d+) h:(\d+) ")
_TOO_LARGE = re.compile(rb"Picture size (\d+)x(\d+) (?:exceeds|is invalid)")
_SHOWINFO = rb"^\[Parsed_showinfo_0 @ [^\]]*\] (?:\[info\] )?"
_BASE = re.compile(_SHOWINFO + rb"config in time_base: (\d+)/(\d+)")
_FRAME = re.compile(
    _SHOWINFO + rb"n: *\d+ pts: *(-?\d+|NOPTS) +.*?(?:duration: *(\d+) .*?)?sar:(\d+)/(\d+) s:\d+x\d+ i:(\S)"
)
_COLOUR = re.compile(_SHOWINFO + rb"color_range:.*color_trc:(\S+)")
_READ = re.compile(rb"Input stream #0:\d+ \(video\): (\d+) packets read .*; (\d+) frames decoded")
_DECODER = re.compile(rb"^(?:\[info\] )?  Stream #0:(\d+) -> #0:0 \((\w+) \((\w+)\)")
_BAD_PACKET = re.compile(rb"(?:Packet corrupt \(stream = |corrupt input packet in stream )(\d+)")
_ADDRESS = re.compile(rb" @ 0x[0-9a-f]+")  # another one in each run


@dataclass(slots=True)
class Complaints:
    """Summary of ffmpeg's messages, which may be many times as long as the video."""

    cut_short: bool = False
    no_index: bool = False
    no_pictures: bool = False
    no_memory: bool = False
    signalled: bool = False  # it was ended by a signal
    lost_track: bool = False
    lost_frames: int = 0
    concealed: int = 0  # frames that the decoder knows to be damaged
    bad_packets: Counter[int] = field(default_factory=Counter)  # by stream: from a transport stream's counters
    packets: int = 0  # of the decoded stream, where ffmpeg reports it
    stream: int = 0  # number of the decoded stream in its file
    decoder: tuple[str, ...] = ()  # names under which it complains
    voices: Counter[str] = field(default_factory=Counter)  # who complained how often
    sizes: dict[str, None] = field(default_factory=dict)  # of the coded pictures, each once
    too_large: tuple[int, int] | None = None
    aspects: dict[tuple[int, int], None] = field(default_factory=dict)  # of their pixels, each once
    interlaced: int = 0  # frames
    transfers: dict[str, None] = field(default_factory=dict)
    base: tuple[int, int] | None = None  # seconds of a tick
    stamps: list[int | None] = field(default_factory=list)  # ticks, of each frame
    length: int = 0  # ticks that the last frame is shown, if stated
    _last: deque[bytes] = field(default_factory=lambda: deque(maxlen=3))

    @property
    def last(self) -> str:
        """The last complaints, in a form that is the same in each run."""
        return last_lines(b"".join(self._last))

    @property
    def painful(self) -> int:
        """Number of complaints by the video's decoder."""
        return sum(self.voices[name] for name in self.decoder)

    def hear(self, line: bytes) -> None:
        """Process one line."""
        if line.startswith(b"[Parsed_showinfo_0 @"):
            self._hear_of_frame(line)
            return
        begins = _LEVEL.match(line)
        level = begins[2] if begins else b""
        if begins and begins[1]:
            self._hear_of_input(line)
        elif (decoder := _DECODER.match(line)) is not None:
            self.stream = int(decoder[1])
            self.decoder = (decoder[2].decode(), decoder[3].decode())
        elif SIGNALLED.match(line):
            self.signalled = True
        if level not in (b"error", b"fatal", b"panic"):
            return
        self.cut_short |= any(mark in line for mark in _CUT_SHORT)
        self.no_index |= _NO_INDEX in line
        self.no_pictures |= _NO_PICTURES in line
        self.no_memory |= _NO_MEMORY in line
        self.lost_track |= any(mark in line for mark in _LOST_TRACK)
        self.lost_frames += any(mark in line for mark in _LOST_FRAME)
        large = _TOO_LARGE.search(line)
        if large is not None:
            self.too_large = (int(large[1]), int(large[2]))
        if begins and begins[1] and len(self.voices) < 64:
            self.voices[begins[1][1:].split(b" @ ")[0].decode(errors="replace")] += 1
        self._last.append(_ADDRESS.sub(b"", line).replace(b"[error] ", b"").replace(b"[fatal] ", b""))

    def _hear_of_input(self, line: bytes) -> None:
        size = _SIZE.search(line)
        if size is not None:
            self.sizes[f"{int(size[1])} x {int(size[2])}"] = None
        self.concealed += _CONCEALED in line
        packet = _BAD_PACKET.search(line)
        if packet is not None:
            self.bad_packets[int(packet[1])] += 1
        read = _READ.search(line)
        if read is not None and int(read[2]):
            self.packets = int(read[1])

    def _hear_of_frame(self, line: bytes) -> None:
        frame = _FRAME.match(line)
        if frame is not None:
            self.stamps.append(None if frame[1] == b"NOPTS" else int(frame[1]))
            self.length = int(frame[2] or 0)
            if len(self.aspects) < 64:
                self.aspects[int(frame[3]), int(frame[4])] = None
            self.interlaced += frame[5] in b"TB"
        elif (colour := _COLOUR.match(line)) is not None:
            if len(self.transfers) < 64:
                self.transfers[colour[1].decode(errors="replace")] = None
        elif (base := _BASE.match(line)) is not None and self.base is None:
            self.base = (int(base[1]), int(base[2]))


def read_complaints(stderr: IO[bytes]) -> Complaints:
    """Summarise ffmpeg's messages, line by line."""
    found = Complaints()
    for line in _lines(stderr):
        found.hear(line)
    return found


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines of bounded length; longer ones are truncated."""
    whole = True
    while line := stream.readline(MAX_LINE):
        if whole:
            yield line
        whole = line.endswith(b"\n")


class Listener:
    """Reads a process's messages in a separate thread, so that the process never blocks on its output."""

    def __init__(self, stderr: io.RawIOBase) -> None:
        self._heard = Complaints()
        buffered = io.BufferedReader(stderr, MAX_LINE)
        self._thread = threading.Thread(target=self._read, args=(buffered,), name="ffmpeg's messages", daemon=True)
        self._thread.start()

    def _read(self, stderr: IO[bytes]) -> None:
        with stderr:
            for line in _lines(stderr):
                self._heard.hear(line)

    def complaints(self) -> Complaints:
        """All messages, once the process has ended."""
        self._thread.join()
        return self._heard
