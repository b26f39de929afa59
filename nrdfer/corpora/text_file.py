"""Lines of a text file of unknown origin, in any encoding that editors and spreadsheets write.

What the lines mean belongs to the readers.
"""

from __future__ import annotations

import re
from pathlib import Path

from nrdfer.core.errors import CorpusError
from nrdfer.core.plain_text import one_line
from nrdfer.core.text_bytes import marked_encoding, read_bytes

MOST_BYTES = 64 << 20  # the longest list of any corpus has 2 MiB
_CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f]")
_ENDS = re.compile("\r\n|\n|\r")
_NUMBER = re.compile("[0-9]{1,9}")
_MAX_QUOTED = 80


def read_lines(path: Path) -> list[str]:
    """The lines of a text file, without their ends.

    UTF-8 and UTF-16 (which Excel calls "Unicode text", and PowerShell writes) are recognised, with a byte order mark or
    without; any other text is read as one byte a letter, so that digits are right in any case.

    Raises:
        CorpusError: it cannot be read, is far too large, or is no text.
    """
    text = decoded(read_whole(path))
    if text is None:
        raise CorpusError(f"{one_line(str(path))} is not a text file; copy it again, or save it as UTF-8 text")
    return _ENDS.split(text)


def read_whole(path: Path) -> bytes:
    """All bytes of such a file.

    Raises:
        CorpusError: it cannot be read, is no regular file, or is far too large.
    """
    too_large = "no label file or list of clips is that large: copy it again"
    return read_bytes(path, one_line(str(path)), MOST_BYTES, too_large, CorpusError)


def decoded(data: bytes) -> str | None:
    """The bytes decoded as text; None if they are not text."""
    encoding = marked_encoding(data)
    for guess in [encoding] if encoding else [*_unmarked(data), "utf-8", "cp1252", "latin-1"]:
        try:
            text = data.decode(guess)
        except UnicodeError:
            continue
        return None if _CONTROL.search(text) else text
    return None


def _unmarked(data: bytes) -> list[str]:
    """Encodings to try without a mark: most of a label file is ASCII, which in UTF-16 has zeros as every other byte."""
    even, odd = data[0:400:2].count(0), data[1:400:2].count(0)
    few = len(data[:400]) // 8
    return ["utf-16-le"] * (odd > few >= even) + ["utf-16-be"] * (even > few >= odd)


def number_in(text: str) -> int | None:
    """A text's whole number; None if it is none, or has more digits than any number in a label file."""
    return int(text) if _NUMBER.fullmatch(text) else None


def excerpt(text: str) -> str:
    """The beginning of a line, for a message."""
    return one_line(text[:_MAX_QUOTED])
