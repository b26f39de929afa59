"""Bytes of a text file of unknown origin: bounded in number, and with the mark of its encoding.

What the text means, and how one without a mark is decoded, belongs to the readers.
"""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from nrdfer.core.atomic_files import open_plain
from nrdfer.core.errors import NrdferError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_bytes(path: Path, where: str, most: int, too_large: str, error: type[NrdferError]) -> bytes:
    """A file's bytes; nothing is read if there are too many, or if it is a pipe or a device.

    Args:
        path: of the file.
        where: what it is, for messages.
        most: how many bytes it may have.
        too_large: ends the message about one that has more.
        error: kind of what is raised.

    Raises:
        NrdferError: of that kind; the file cannot be read, or has too many bytes.
    """
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            data = file.read() if size <= most else b""
    except OSError as trouble:
        raise error(f"{where} cannot be read: {trouble.strerror}") from trouble
    if size > most:
        raise error(f"{where} has {size:,} bytes; {too_large}")
    return data


def marked_encoding(data: bytes) -> str | None:
    """The encoding stated by a byte order mark; None without one."""
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)
