"""Settings dataclasses from plain values: nested, checked by their annotations, and refused by their place.

Conversion of a single value belongs to ``core.coerce``; the settings themselves, to their own modules.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from nrdfer.core.coerce import brief, brief_quotes, convert
from nrdfer.core.errors import ProfileError
from nrdfer.core.plain_text import one_line

T = TypeVar("T")
Place = tuple[str, ...]  # names of settings, the outermost first
Overrides = Mapping[str, object]  # plain values of single fields, laid over settings from elsewhere
_NAMED = 8  # settings that a message names


class SettingError(ProfileError):
    """A refused setting; `place` is its path."""

    def __init__(self, message: str, place: Place = ()) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class LaidOver:
    """In an annotation: given values are laid over `base`, which may depend on them (a preset's name).

    `base` raises ValueError or ProfileError if there is none.
    """

    base: Callable[[Overrides], Mapping[str, Any]]


def build_settings(cls: type[T], values: Mapping[str, Any], where: str, place: Place = ()) -> T:
    """Build a settings dataclass from a mapping; unknown settings are refused.

    Values are checked and converted by the fields' annotations (`convert`): lists become tuples, 4 becomes 4.0 where a
    float is expected. Nested dataclasses, and mappings of them, are built from nested mappings.

    Args:
        cls: the dataclass.
        values: plain values by field.
        where: their source, for messages.
        place: names of the enclosing settings.

    Raises:
        SettingError: an unknown field, a value of another type, or one that the dataclass itself refuses.
    """
    hints = _hints(cls)  # type: ignore[arg-type]
    known = {f.name for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    unknown = sorted(one_line(str(name)[:80]) for name in set(values) - known)
    if unknown:
        listed = ", ".join(unknown[:_NAMED]) + (f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else "")
        raise _refused(where, (*place, unknown[0]), f"unknown setting {listed}; known are {', '.join(sorted(known))}")
    arguments = {name: build_value(value, hints[name], where, (*place, name)) for name, value in values.items()}
    try:
        return cls(**arguments)
    except (TypeError, ValueError) as error:
        raise _refused(where, (*place, ""), brief_quotes(str(error))) from error


@functools.cache  # compiling the annotations of a profile takes longer than all the rest of reading it
def _hints(cls: type) -> Mapping[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)


def build_value(value: Any, hint: Any, where: str, place: Place) -> Any:
    """Build one value according to an annotation; see `build_settings`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        base = next((note.base for note in hint.__metadata__ if isinstance(note, LaidOver)), None)
        if base is not None and isinstance(value, Mapping):
            try:
                value = merge(base(value), value)
            except (ValueError, ProfileError) as error:
                raise _refused(where, (*place, ""), str(error)) from error
        return build_value(value, arguments[0], where, place)
    if origin is types.UnionType and value is not None and dataclasses.is_dataclass(arguments[0]):
        return build_value(value, arguments[0], where, place)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if isinstance(value, hint):
            return value
        if not isinstance(value, Mapping):
            words = f"{place[-1]} is {brief(value)}, but must be named settings, e.g. {place[-1]}: {{...}}"
            raise _refused(where, place, words)
        return build_settings(hint, value, where, place)
    if origin is Mapping and isinstance(value, Mapping) and arguments[1] not in (object, Any):
        return {name: build_value(below, arguments[1], where, (*place, name)) for name, below in value.items()}
    try:
        return convert(value, hint)
    except ValueError as error:
        raise _refused(where, place, f"{place[-1]} {error}") from error


def _refused(where: str, place: Place, words: str) -> SettingError:
    """The error about a setting, named in `words`; an empty last name means the enclosing settings as a whole."""
    around = one_line(".".join(place[:-1]))
    return SettingError(": ".join((where, around, words) if around else (where, words)), tuple(filter(None, place)))


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` laid over it, nested mappings merged key by key.

    Raises:
        ProfileError: `overrides` is not a mapping: a profile holds another type where named settings are expected.
    """
    if not isinstance(overrides, Mapping):
        raise ProfileError(f"{brief(overrides)} ({type(overrides).__name__}) is given instead of named settings")
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level of dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def renamed(values: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """`values` with every key `old`, however deep, as `new`; of both in one mapping, the one laid over last counts."""
    return {
        new if key == old else key: renamed(value, old, new) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }
