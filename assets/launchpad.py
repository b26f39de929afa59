"""Typed fields of the launchpad, made from the settings classes of a profile, so that the two cannot differ.

Which of a profile's parts are offered belongs to ``project_resource``; what a setting means, to its own class.
"""

import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Any

import dagster as dg
from pydantic import Field, create_model

from nrdfer.config.settings import LaidOver


def config_of(settings: type[Any], names: Sequence[str] = (), otherwise: str = "") -> type[dg.Config]:
    """A config of the fields of a settings dataclass, none of which need be given.

    Args:
        settings: the dataclass; a field is described by the text in its annotation.
        names: of the fields, if not all; mappings, which have no types of their own, are left out.
        otherwise: what a field is where the profile says nothing, if not the dataclass's default.
    """
    hints = typing.get_type_hints(settings, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        if names and field.name not in names:
            continue
        notes = getattr(hints[field.name], "__metadata__", ())
        hint = hints[field.name].__origin__ if notes else hints[field.name]
        text = next((note for note in notes if isinstance(note, str)), field.name.replace("_", " "))
        text = text[0].upper() + text[1:]
        if dataclasses.is_dataclass(hint):
            named = otherwise or ("that of its `name`" if any(isinstance(note, LaidOver) for note in notes) else "")
            inner = config_of(hint, otherwise=named)  # type: ignore[arg-type]
            about = f"{text}. What is left out stays as the profile says."
            fields[field.name] = (inner, Field(default_factory=inner, description=about))
        elif (known := _dagster_type(hint)) is not None:
            about = f"{text}. Default: what the profile says, else {otherwise or field.default}."
            fields[field.name] = (known | None, Field(default=None, description=about))
    return create_model(f"{settings.__name__}Fields", __base__=dg.Config, **fields)


def _dagster_type(hint: Any) -> Any:
    """A field's type as Dagster has it; None for a mapping."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return inner[0]
    if origin is tuple:
        return list[inner[0]]  # type: ignore[valid-type]
    return None if origin else hint
