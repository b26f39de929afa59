"""Results that Dagster works out anew for every event and resource, kept for as long as the process lives.

What is kept depends on its arguments alone: an engine of SQLAlchemy, which holds no connection, for each address of a
database, and a schema for each class of resources. Keep out: what changes while a process lives.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.dagster_internals import INFER_SCHEMAS, MAKE_ENGINES

_ENGINES = 64  # of a long-lived server, which opens the database of every run that is looked at
_SCHEMAS = 64


def keep_engines() -> None:
    """Let Dagster's storage in SQLite use one engine for each database, with the statements that it has compiled.

    It makes one for each event otherwise. An engine connects at each use and disconnects after it, as before.
    """
    for name in MAKE_ENGINES:
        _replace(name, "create_engine", _kept_engines)


def keep_schemas() -> None:
    """Let Dagster infer the schema of a class of resources once, and not for each of its objects."""
    for name in INFER_SCHEMAS:
        _replace(name, "infer_schema_from_config_class", _kept_schemas)


def _replace(module: str, name: str, keeping: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    names = vars(importlib.import_module(module))
    if names[name].__module__ != __name__:
        names[name] = keeping(names[name])


def _kept_engines(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.lru_cache(_ENGINES)
    def kept(address: str, pool: type, options: tuple[tuple[str, Any], ...]) -> Any:
        return create(address, poolclass=pool, connect_args=dict(options))

    def create_engine(address: str, *, poolclass: type, connect_args: Mapping[str, Any] | None = None) -> Any:
        return kept(address, poolclass, tuple(sorted((connect_args or {}).items())))

    return create_engine


def _kept_schemas(infer: Callable[..., Any]) -> Callable[..., Any]:
    @functools.lru_cache(_SCHEMAS)
    def kept(config: type, omitted: frozenset[str]) -> Any:
        return infer(config, fields_to_omit=set(omitted))

    def infer_schema(config: type, *, fields_to_omit: set[str] | None = None, **others: Any) -> Any:
        if others:
            return infer(config, fields_to_omit=fields_to_omit, **others)
        return kept(config, frozenset(fields_to_omit or ()))

    return infer_schema
