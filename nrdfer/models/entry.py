"""Entry of the registry of networks: how a network is built, and what it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from nrdfer.core.plugins import Code
from nrdfer.models.base import ClipNetwork, NetworkSettings


@dataclass(frozen=True)
class Entry:
    """One network of the registry."""

    title: str  # as the paper's tables print it
    network: Callable[[Any], ClipNetwork]  # from its settings
    presets: Mapping[str, NetworkSettings]
    tables: tuple[int, ...] = ()  # of the paper
    gmacs_published: float | None = None  # there, for the preset "paper"
    note: str = ""
    code: Code = field(default_factory=dict)  # of a network of another package or a user's file
    name: str = ""  # its own, if it was found by another: a file's path
