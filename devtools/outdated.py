"""Packages with a newer release, and what holds each back, as a Markdown table.

Keep out: queries to the package index (``scripts/outdated.py``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from nrdfer.core import markdown_text

Limits = Mapping[str, list[tuple[str, Requirement]]]


def limits_of(installed: Iterable[Distribution]) -> Limits:
    """Canonical name -> who wants which versions of it."""
    wanted: defaultdict[str, list[tuple[str, Requirement]]] = defaultdict(list)
    for package in installed:
        for requirement in map(Requirement, package.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                wanted[canonicalize_name(requirement.name)].append((package.metadata["Name"], requirement))
    return wanted


def table(packages: Iterable[tuple[str, str]], newest: Mapping[str, str], limits: Limits) -> str:
    """A line a package that has a newer release."""
    rows = []
    for name, version in packages:
        latest = newest.get(canonicalize_name(name))
        if latest is None or Version(latest).public == Version(version).public:
            continue
        by = {
            f"{who} ({_plain(str(wants.specifier))})"
            for who, wants in limits.get(canonicalize_name(name), ())
            if not wants.specifier.contains(latest, prereleases=True)
        }
        rows.append([name, version, latest, ", ".join(sorted(by)) or "nothing"])
    return markdown_text.table(["package", "locked", "newest", "held back by"], rows)


def _plain(specifier: str) -> str:
    return re.sub(r",", ", ", specifier).replace("|", "/")
