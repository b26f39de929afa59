"""One face picture of a corpus from its file: complete, or refused with a message.

Decoders conceal damage: of a JPEG that was cut short or zeroed in part they make a picture that is grey or shifted from
there on. So the bytes are checked before they are decoded, and the decoder's warnings are collected. A changed bit that
leaves a JPEG readable cannot be detected: the format has no checksums. Which pictures make a clip is not decided here.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from nrdfer.core.atomic_files import open_plain
from nrdfer.core.errors import UnreadablePictureError
from nrdfer.core.plain_text import one_line

MOST_PIXELS = 50_000_000  # a face picture has 50,000; a file of a few bytes can claim thousands of millions
MOST_BYTES = 256 << 20
_MOST_SCANS = 100  # of a progressive JPEG; each costs as much as the first
_SEQUENTIAL = (0xC0, 0xC1)
#: Zero bytes in a row that no encoder writes into the codes of a sequential JPEG, unless they can mean flat blocks.
_ZEROS = bytes(32)
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a stuffed zero, a restart nor a fill byte
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: A few bytes before the end are what some cameras write.
_DAMAGE = re.compile(
    r"Corrupt JPEG data: (?!([0-9]|1[0-6]) extraneous bytes before marker 0xd9)|Premature end|libpng error"
)
_WORDS = 200


def read_picture(path: Path) -> NDArray[np.uint8]:
    """The picture in a file, (H, W, 3) uint8 BGR, upright as its EXIF data says.

    Raises:
        UnreadablePictureError: it is cut short, damaged, of another format than JPEG, PNG or BMP, or absurdly large.
        OSError: the file cannot be read.
    """
    with open_plain(path) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read() if size <= MOST_BYTES else b""
    problem = f"has {size:,} bytes" if size > MOST_BYTES else look_at(data)
    if problem is None:
        picture, words = decode(data)
        if picture is not None and not _DAMAGE.search(words):
            return picture
        problem = f"is damaged ({one_line(words.strip())[:_WORDS] or 'it cannot be decoded'})"
    raise UnreadablePictureError(f"unreadable picture {one_line(str(path))}: it {problem}; copy or unpack it again")


def look_at(data: bytes) -> str | None:
    """Defect in the content of a picture file, as far as its bytes show; None if there is none."""
    looks = {b"\xff\xd8": _look_at_jpeg, b"\x89PNG\r\n\x1a\n": _look_at_png, b"BM": _look_at_bmp}
    for head, look in looks.items():
        if data.startswith(head):
            return look(data)
    if not data:
        return "is empty"
    return "is neither a JPEG, a PNG nor a BMP" if data.strip(b"\0") else "holds zeros only"


def _absurd(width: int, height: int) -> str | None:
    if width * height > MOST_PIXELS:
        return f"claims to have {width} x {height} pixels"
    return "has no pixels" if not width * height else None


def _look_at_jpeg(data: bytes) -> str | None:
    sequential = False
    place, scans, dense = 2, 0, False  # dense: zeros cannot mean flat blocks
    while place + 2 <= len(data):
        if data[place] != 0xFF:
            return "is damaged: a JPEG segment is not where the previous one says"
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xD9:
            return None if scans else "has no picture in it"
        length = 0 if marker in _WITHOUT_LENGTH else int.from_bytes(data[place + 2 : place + 4], "big")
        segment = data[place + 4 : place + 2 + length]
        if marker in _FRAMES and len(segment) >= 5:
            absurd = _absurd(int.from_bytes(segment[3:5], "big"), int.from_bytes(segment[1:3], "big"))
            if absurd:
                return absurd
            sequential = marker in _SEQUENTIAL
        dense = dense or (marker == 0xC4 and _is_dense(segment))
        place += 2 + length
        if marker == 0xDA:
            scans += 1
            found = _MARKER.search(data, place)
            if found is None:
                return "is cut short: a JPEG's end is missing"
            if sequential and dense and _ZEROS in data[place : found.start()]:
                return "is damaged: part of it is zeros"
            place = found.start()
        if scans > _MOST_SCANS:
            return f"has more than {_MOST_SCANS} scans"
    return "is cut short: a JPEG's end is missing"


def _is_dense(tables: bytes) -> bool:
    """Whether the shortest code of an AC table, which is all zero bits, is not that of a block's end."""
    while len(tables) > 17:
        if tables[0] >> 4 and tables[17]:
            return True
        tables = tables[17 + sum(tables[1:17]) :]
    return False


def _look_at_png(data: bytes) -> str | None:
    place = 8
    while place + 12 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data):
            break
        if zlib.crc32(memoryview(data)[place + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return f"is damaged: the checksum of its part {one_line(kind.decode('latin-1'))} is another"
        if kind == b"IHDR" and length >= 8:
            absurd = _absurd(*(int.from_bytes(data[place + 8 + i : place + 12 + i], "big") for i in (0, 4)))
            if absurd:
                return absurd
        if kind == b"IEND":
            return None
        place = end
    return "is cut short: a PNG's end is missing"


def _look_at_bmp(data: bytes) -> str | None:
    if len(data) < 26:
        return "is cut short: a BMP's header is missing"
    wide = int.from_bytes(data[14:18], "little") != 12  # the oldest header has shorter numbers
    sides = ((18, 22), (22, 26)) if wide else ((18, 20), (20, 22))
    width, height = (abs(int.from_bytes(data[a:b], "little", signed=wide)) for a, b in sides)
    return _absurd(width, height)


def decode(data: bytes) -> tuple[NDArray[np.uint8] | None, str]:
    """A picture (H, W, 3) uint8 BGR, None if it cannot be decoded; and the decoder's warnings."""
    said: list[str] = []
    try:
        with _listening(said):
            picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        return None, " ".join(str(error).split())
    return (None if picture is None else np.asarray(picture, np.uint8)), "".join(said)


@contextlib.contextmanager
def _listening(said: list[str]) -> Iterator[None]:
    """Collect in `said` all output to standard error meanwhile: decoders have no other way to warn.

    It is that of the whole process, so only a process of one thread should decode.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
    there = _memory()
    os.ftruncate(there, 0)
    os.lseek(there, 0, os.SEEK_SET)
    kept = os.dup(2)
    try:
        os.dup2(there, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        if os.fstat(there).st_size:
            said.append(os.pread(there, 4096, 0).decode(errors="replace"))


def _memory() -> int:
    """A file without a name, one for each process; it ends with the process."""
    if _held.get("process") != os.getpid():
        handle, name = (
            tempfile.mkstemp(prefix="nrdfer-decoder-") if sys.platform != "linux" else (os.memfd_create("decoder"), "")
        )
        if name:
            Path(name).unlink()
        _held.update(process=os.getpid(), handle=handle)
    return _held["handle"]


_held: dict[str, int] = {}
