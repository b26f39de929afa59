"""Container headers: how many bytes a file should have, and how many frames it should hold.

AVI, MP4/MOV and ASF/WMV say how long they are; MPEG streams, TS and FLV do not, and a truncated one cannot be
distinguished from a whole one. Read with few seeks, and used only for a comparison; decoding does not belong here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import IO

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MP4_FIRST = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
#: What may follow; anything else is something that was appended to the video.
_MP4_TOP = _MP4_FIRST | {b"moof", b"mfra", b"sidx", b"ssix", b"styp", b"emsg", b"prft", b"meta", b"uuid", b"udta"}

Part = tuple[bytes, int, int]  # its four letters, and where its content begins and ends


def stated_bytes(path: Path) -> int | None:
    """Number of bytes that the file should have by its own header, or None if its container does not state it."""
    with path.open("rb") as file:
        head = file.read(4096)
        size = path.stat().st_size
        if _is_avi(head):
            *_, last = _riff(file, 0, size)
            return last[2]
        if head[4:8] in _MP4_FIRST:
            ends = [end for _, _, end in takewhile(lambda box: box[0] in _MP4_TOP, _boxes(file, 0, size))]
            return ends[-1]
        at = head.find(_ASF_FILE) if head.startswith(_ASF_HEADER) else -1
        if at >= 0 and len(head) >= at + 48:
            return int(struct.unpack_from("<Q", head, at + 40)[0]) or None  # 0: recorded live
    return None


def stated_frames(path: Path) -> int | None:
    """Number of coded frames that an AVI or MP4/MOV states; None if it does not, or holds several videos."""
    with path.open("rb") as file:
        head = file.read(12)
        size = path.stat().st_size
        if _is_avi(head):
            counts = list(_avi_frames(file, size))
        elif head[4:8] in _MP4_FIRST:
            counts = list(_mp4_frames(file, size))
        else:
            return None
    return counts[0] or None if len(counts) == 1 else None  # 0: fragments, or a header that was never filled in


def _is_avi(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"AVI "


def _riff(file: IO[bytes], start: int, end: int) -> Iterator[Part]:
    """The chunks from `start`; the last may reach beyond `end`. Long AVIs are several RIFF chunks in a row."""
    top = start == 0
    while start + 8 <= end:
        file.seek(start)
        name, length = struct.unpack("<4sI", file.read(8))
        if top and name != b"RIFF":  # what follows the video is not the video's
            return
        yield name, start + 8, start + 8 + length
        start += 8 + length + length % 2


def _avi_frames(file: IO[bytes], size: int) -> Iterator[int]:
    """The frames of each picture stream, without repeats of the previous one, which have no bytes."""
    parts = {_list_name(file, part) or part[0]: part for part in _riff(file, 12, size)}
    header, index = parts.get(b"hdrl"), parts.get(b"idx1")
    if header is None:
        return
    streams = [part for part in _riff(file, header[1] + 4, min(size, header[2])) if _list_name(file, part) == b"strl"]
    for number, (_, start, end) in enumerate(streams):
        for name, at, _ in _riff(file, start + 4, min(size, end)):
            file.seek(at)
            content = file.read(36)
            if name == b"strh" and len(content) == 36 and content[:4] == b"vids":
                stated = int(struct.unpack_from("<I", content, 32)[0])
                yield max(0, stated - _empty_entries(file, index, b"%02d" % number))


def _list_name(file: IO[bytes], part: Part) -> bytes:
    if part[0] != b"LIST":
        return b""
    file.seek(part[1])
    return file.read(4)


def _empty_entries(file: IO[bytes], index: Part | None, stream: bytes) -> int:
    if index is None:
        return 0
    file.seek(index[1])
    empty = 0
    for _ in range((index[2] - index[1]) // 16):
        entry = file.read(16)  # name, flags, offset, length
        if len(entry) < 16:  # a length that is not true
            break
        empty += entry[:2] == stream and entry[12:] == bytes(4)
    return empty


def _boxes(file: IO[bytes], start: int, end: int) -> Iterator[Part]:
    """The boxes from `start`; the last may reach beyond `end`."""
    while start + 8 <= end:
        file.seek(start)
        length, name = struct.unpack(">I4s", file.read(8))
        body = start + 8
        if length == 1 and start + 16 <= end:
            length = struct.unpack(">Q", file.read(8))[0]
            body += 8
        stop = end if length == 0 else start + length
        yield name, body, max(stop, body)
        start = max(stop, body)


def _find(file: IO[bytes], part: Part, end: int, *names: bytes) -> Iterator[Part]:
    """The boxes at the end of a path of names inside a box."""
    if not names:
        yield part
        return
    for inner in _boxes(file, part[1], min(part[2], end)):
        if inner[0] == names[0]:
            yield from _find(file, inner, end, *names[1:])


def _mp4_frames(file: IO[bytes], size: int) -> Iterator[int]:
    for media in _find(file, (b"", 0, size), size, b"moov", b"trak", b"mdia"):
        kinds = []
        for _, at, _ in _find(file, media, size, b"hdlr"):
            file.seek(at + 8)
            kinds.append(file.read(4))
        if b"vide" not in kinds:
            continue
        for _, at, _ in _find(file, media, size, b"minf", b"stbl", b"stsz"):
            file.seek(at + 8)
            count = file.read(4)
            if len(count) == 4:
                yield int(struct.unpack(">I", count)[0])
