"""YAML of settings, read with bounds: plain values only, and nothing that grows while it is read.

A YAML of a few lines can mean thousands of millions of values (aliases of aliases), itself (an alias within its own
anchor), or take minutes. So the size of the text is bounded, then its events are counted before any value is made, and
only values that JSON has, too, are accepted. What the settings mean belongs to ``config``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line
from nrdfer.core.text_bytes import marked_encoding, read_bytes

MOST_BYTES = 1 << 18  # the longest profile has 3,000
MOST_VALUES = 50_000  # aliases counted as often as they are used
MOST_DEEP = 40
LONGEST = 10_000  # characters of one value
_LARGEST = 2**63
_MAX_QUOTED = 120


def read_settings(path: Path, where: str) -> Any:
    """The plain value that a YAML file holds.

    Args:
        path: an existing file.
        where: what it is, for messages.

    Raises:
        ProfileError: it is no text, no YAML, too large, or holds other values than JSON's.
    """
    return settings_in(_text(path, where), where)


def line_of(path: Path, where: str, place: Sequence[str]) -> int | None:
    """The line, from 1, of the setting that names lead to in a file that was read; of the last that is there.

    Raises:
        ProfileError: see `read_settings`.
    """
    text, line = _text(path, where), None
    try:
        _count(text, where)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ProfileError(f"{where} is not valid YAML: {_short(error, 400)}") from error
    for name in place:
        if not isinstance(node, yaml.MappingNode):
            break
        found = [(key, value) for key, value in node.value if key.value == name]
        if not found:
            break
        key, node = found[-1]
        line = key.start_mark.line + 1
    return line


def _text(path: Path, where: str) -> str:
    data = read_bytes(path, where, MOST_BYTES, f"settings have at most {MOST_BYTES:,}", ProfileError)
    try:
        return data.decode(marked_encoding(data) or "utf-8")
    except UnicodeError as error:
        raise ProfileError(f"{where} is not UTF-8 text: save it as UTF-8") from error


def settings_in(text: str, where: str) -> Any:
    """The plain value of a YAML text; see `read_settings`.

    Raises:
        ProfileError: it is no YAML, too large, or holds other values than JSON's.
    """
    if len(text) > MOST_BYTES:
        raise ProfileError(f"{where} has {len(text):,} characters; settings have at most {MOST_BYTES:,}")
    try:
        _count(text, where)
        _refuse_repeated(text, where)
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        raise ProfileError(f"{where} is not valid YAML: {_short(error, 400)}") from error
    return plain(value, where)


def _count(text: str, where: str) -> None:
    """Count the values that the text would expand to, without building them."""
    sizes: dict[str, int] = {}  # of each anchor's content
    open_nodes: list[tuple[str | None, int]] = []  # anchor, and values counted before it
    values = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        before = values
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, begun = open_nodes.pop()
            if anchor:
                sizes[anchor] = values - begun
        elif isinstance(event, yaml.NodeEvent):
            values += _size(event, sizes, where)
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, before))
                sizes.pop(event.anchor or "", None)  # an older anchor of that name is none within
            elif isinstance(event, yaml.ScalarEvent) and event.anchor:
                sizes[event.anchor] = 1
        if values > MOST_VALUES:
            raise ProfileError(f"{where} would become more than {MOST_VALUES:,} values: do its aliases multiply?")
        if len(open_nodes) > MOST_DEEP:
            raise ProfileError(f"{where} is nested more than {MOST_DEEP} deep")


def _refuse_repeated(text: str, where: str) -> None:
    """Refuse a name that is given twice in one place: YAML's readers drop the first silently."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    left = [root]
    visited: set[int] = set()  # an alias stands for a node that was seen at its anchor
    while left:
        node = left.pop()
        if node is None or id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            left += node.value
        elif isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                left.append(value)
                line = key.start_mark.line + 1
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in lines:
                    words = f"{_short(key.value)} is given in line {lines[key.value]}, too; merge both"
                    raise ProfileError(f"{where}, line {line}: {words}")
                lines[key.value] = line


def _size(event: yaml.NodeEvent, sizes: Mapping[str, int], where: str) -> int:
    """Number of values that an event adds."""
    if isinstance(event, yaml.AliasEvent):
        size = sizes.get(event.anchor or "")
        if size is None:
            raise ProfileError(f"{where}: *{_short(event.anchor)} is used inside its own anchor, or before it")
        return size
    if isinstance(event, yaml.ScalarEvent) and len(event.value) > LONGEST:
        raise ProfileError(f"{where}: a value of {len(event.value):,} characters; {LONGEST:,} are the most")
    return 1


def plain(value: Any, where: str, depth: int = 0) -> Any:
    """`value`, if it consists of text, finite numbers, booleans, null, lists, and mappings with text keys.

    Raises:
        ProfileError: it holds something else; says where and what to write.
    """
    if depth > MOST_DEEP:
        raise ProfileError(f"{where} is nested more than {MOST_DEEP} deep")
    if isinstance(value, Mapping):
        for name, below in value.items():
            if not isinstance(name, str):
                raise ProfileError(f"{where}: {_short(name)} is the name of a setting, but no text; put it in quotes")
            plain(below, f"{where}: {_short(name)}" if depth < 3 else where, depth + 1)
    elif isinstance(value, list | tuple):
        for below in value:
            plain(below, where, depth + 1)
    elif isinstance(value, bool | str) or value is None:
        pass
    elif isinstance(value, int):
        if not -_LARGEST <= value < _LARGEST:
            raise ProfileError(f"{where} is a whole number of {value.bit_length()} bits; 64 are the most")
    elif not isinstance(value, float):
        raise ProfileError(
            f"{where} is {_short(value)} ({type(value).__name__}), but must be text, a number, true or false, a list "
            "or named settings; put text in quotes"
        )
    elif not math.isfinite(value):
        raise ProfileError(f"{where} is {value}, which is no number")
    return value


def _short(value: object, longest: int = _MAX_QUOTED) -> str:
    """The beginning of a value as text, on one line."""
    try:
        text = str(value)
    except ValueError:  # a number of more digits than Python writes
        text = f"a {type(value).__name__} of thousands of digits"
    return one_line(text if len(text) <= longest else f"{text[:longest]}...")
