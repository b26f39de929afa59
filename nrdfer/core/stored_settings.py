"""Settings dataclasses as they are stored, so that a field that is added later leaves the identity of older ones.

What a training is named by holds all of its settings. A field that came later is left out there while it has its
default: what was stored before it existed is found again. Building settings from values is ``config.settings``'.
"""

from __future__ import annotations

import dataclasses
from typing import Any

_LATER = "later"  # in a field's metadata


def later(default: Any) -> Any:
    """Make a field that is younger than stored settings of its dataclass."""
    return dataclasses.field(default=default, metadata={_LATER: True})


def as_stored(settings: Any) -> dict[str, Any]:
    """Plain values of a settings dataclass, nested ones included, without `later` fields that have their default."""
    values = dataclasses.asdict(settings)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.metadata.get(_LATER) and value == field.default:
            del values[field.name]
        elif dataclasses.is_dataclass(value):
            values[field.name] = as_stored(value)
    return values
