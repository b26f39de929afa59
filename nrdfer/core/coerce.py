"""Conversion of one plain value to a setting's annotated type: checked, and converted only without loss.

Values come from YAML, JSON and the command line. Building a whole dataclass belongs to ``config``; constraints on
values beyond their type, to the dataclass itself.
"""

from __future__ import annotations

import math
import re
import reprlib
import types
import typing
from collections.abc import Mapping
from typing import Any

from nrdfer.core.plain_text import one_line


def convert(value: Any, hint: Any) -> Any:
    """`value` converted to the type `hint`.

    A whole number becomes a float where one is wanted, so that 4 and 4.0 have one digest; text that is a number
    becomes that number, because YAML reads 1e-3 as text; a list becomes a tuple. Hints other than int, float, bool,
    str, mappings, tuples and unions of them are not checked.

    Raises:
        ValueError: it does not fit; says what was given and what is wanted.
    """
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return _one_of(value, typing.get_args(hint), hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint](value)
    if origin is tuple:
        return _tuple(value, typing.get_args(hint), hint)
    if isinstance(origin, type) and issubclass(origin, Mapping) and not isinstance(value, Mapping):
        raise _refused(value, "named settings")
    return tuple(value) if isinstance(value, list) else value


def _refused(value: Any, wanted: str) -> ValueError:
    return ValueError(f"is {brief(value)} ({type(value).__name__}), but must be {wanted}")


def brief(value: Any) -> str:
    """A value as Python writes it, on one line, truncated if it is long."""
    text = _SHORT.repr(value)
    return one_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def brief_quotes(message: str) -> str:
    """A message with long quoted values truncated."""
    return _QUOTED.sub(r"\1\2...\1", message)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = _LONGEST

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() < 256 else f"a number of {x.bit_length()} bits"


_LONGEST = 120
_SHORT = _Short()
_CHARACTER = r"(?:\\.|(?!\1)[^\\])"  # of a quoted value: an escape, or anything but its quote
_QUOTED = re.compile(rf"(?<!\w)(['\"])({_CHARACTER}{{{_LONGEST}}}){_CHARACTER}+\1", re.DOTALL)


def _whole(value: Any) -> int:
    if isinstance(value, str):
        try:
            return int(value)  # which has a limit of its own for digits
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _refused(value, "a whole number")


def _number(value: Any) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise _refused(value, "a number")


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _refused(value, "true or false")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _refused(value, "text")


_SIMPLE: Mapping[Any, Any] = {int: _whole, float: _number, bool: _truth, str: _text}


def _tuple(value: Any, parts: tuple[Any, ...], hint: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _refused(value, f"a list ({hint})")
    if len(parts) == 2 and parts[1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise _refused(value, f"a list of {len(parts)}")
    converted = []
    for place, (part, wanted) in enumerate(zip(value, parts, strict=True), start=1):
        try:
            converted.append(convert(part, wanted))
        except ValueError as error:
            raise ValueError(f"entry {place} {error}") from error
    return tuple(converted)


def _one_of(value: Any, choices: tuple[Any, ...], hint: Any) -> Any:
    others = [choice for choice in choices if choice is not types.NoneType]
    if value is None and len(others) < len(choices):
        return None
    if len(others) == 1:
        return convert(value, others[0])
    for choice in others:
        try:
            return convert(value, choice)
        except ValueError:
            continue
    raise _refused(value, str(hint))
