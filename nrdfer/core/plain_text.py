"""Text from outside (names of files, messages about them) as plain UTF-8: for JSON, tables, logs and the terminal.

A file's name is bytes; those that are no UTF-8 come as lone surrogates, which neither a terminal, SQLite nor a strict
JSON parser takes. For CSV cells see `nrdfer.core.csv_cells`.
"""

from __future__ import annotations

import os
import re

_SURROGATE = re.compile("[\ud800-\udfff]")
#: Control characters, line ends, and marks that turn the direction in which the rest is read.
_HIDDEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ESCAPE = re.compile(r"\\(?:\\|x[0-9a-f]{2}|u[0-9a-f]{4})")


def name_text(name: str | os.PathLike[str]) -> str:
    r"""A file's name or path as UTF-8, unique for each name: a byte that is not text becomes ``\xdf``.

    Only names that hold such bytes, or look as if they did, change; in these a backslash is doubled. `name_of` is the
    inverse.
    """
    text = os.fspath(name)
    if _SURROGATE.search(text) or _ESCAPE.search(text):
        return _SURROGATE.sub(_escaped, text.replace("\\", "\\\\"))
    return text


def name_of(text: str) -> str:
    """The inverse of `name_text`."""

    def meant(match: re.Match[str]) -> str:
        escape = match[0]
        if escape == "\\\\":
            return "\\"
        number = int(escape[2:], 16)
        return chr(number if escape[1] == "u" else 0xDC00 + number)

    return _ESCAPE.sub(meant, text)


def utf8(text: str) -> str:
    r"""A message that may quote a file's name, as UTF-8; unlike `name_text`, text without such bytes never changes."""
    return _SURROGATE.sub(_escaped, text)


def one_line(text: str) -> str:
    r"""A message for a terminal or a log: as `utf8`, with ``\x1b`` or ``\u202e`` for terminal control characters."""
    return _HIDDEN.sub(_written_out, utf8(text))


def lines(text: str) -> str:
    """As `one_line`, for a text of several lines; names in it have passed `one_line`."""
    return _HIDDEN.sub(lambda match: match[0] if match[0] in "\n\t" else _written_out(match), utf8(text))


def _written_out(match: re.Match[str]) -> str:
    return f"\\x{ord(match[0]):02x}" if match[0] < "\xff" else f"\\u{ord(match[0]):04x}"


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    # surrogateescape's range encodes single bytes; any other comes from broken text
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"
