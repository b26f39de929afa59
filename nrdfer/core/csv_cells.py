"""Cells of CSV files that no spreadsheet interprets as a formula, and that can be read back exactly.

Use `cell` for every value that is written with `csv`, and `original` for every one that is read back::

    writer.writerow([cell(value) for value in row])
    values = [original(text) for text in row]

A text that begins with ``= + - @`` (also in full width, also after blanks), a tab or a line end gets an apostrophe in
front, which spreadsheets take for "this is text". Numbers stay numbers, whether given as such or as text (``-0.5``).

Where the comma is the decimal point, spreadsheets separate cells by ``;``, some by tabs, and then ignore quotes in the
middle of what they parse as a cell: after each of these, and after a line end, a cell may begin. What would be a
formula there gets its apostrophe there; quoting would not help.
"""

from __future__ import annotations

import re
from typing import Any

from nrdfer.core.plain_text import utf8

_FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@＝＋－＠])")
#: Where a cell would begin if cells ended at something else than commas, and would be a formula.
_INSIDE = re.compile(r"(?<=[;\t\r\n])(?=[\s'\"]*[=+\-@＝＋－＠])")
_INSIDE_TEXT = re.compile(r"(?<=[;\t\r\n])'(?=[\s'\"]*[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def cell(value: Any) -> Any:
    """A value escaped for CSV; everything but text is returned unchanged."""
    if not isinstance(value, str):
        return value
    text = utf8(value)
    return _INSIDE.sub("'", f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text)


def original(text: str) -> str:
    """The text that `cell` was given."""
    text = _INSIDE_TEXT.sub("", text)
    return text[1:] if text.startswith("'") and _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
