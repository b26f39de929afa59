"""Addresses of registered versions: ``models:/<name>/<version>`` and ``models:/<name>@<alias>``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nrdfer.core.errors import WeightsError

_ADDRESS = re.compile(r"models:/(?P<name>(?!\.+[/@])[^/@:]+)(?:/(?P<version>[0-9]+)|@(?P<alias>[A-Za-z0-9_.\-]+))")


@dataclass(frozen=True)
class Address:
    """One version, by its number or by an alias."""

    name: str
    version: str | None = None
    alias: str | None = None

    def __str__(self) -> str:
        return (
            f"models:/{self.name}/{self.version}" if self.version is not None else f"models:/{self.name}@{self.alias}"
        )


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        WeightsError: it is none.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise WeightsError(
            f"{text!r} is no address of a registered version; write models:/NAME/VERSION or models:/NAME@ALIAS, e.g. "
            "models:/nr-dfernet-dfew@champion"
        )
    return Address(found["name"], found["version"], found["alias"])
