"""Links and chains: everything that a version depends on, one link each, and whether it is unchanged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that a version depends on.

    Attributes:
        kind: "source video", "shard", "MLflow run"...
        name: for display.
        where: path or address.
        digest: sha256, or its id.
        problem: description of a difference; empty if it is unchanged.
        note: a fact that is no problem.
    """

    kind: str
    name: str
    where: str = ""
    digest: str = ""
    problem: str = ""
    note: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """Key that is the same for the same thing in every chain."""
        return self.kind, self.where or self.name


@dataclass(frozen=True)
class Chain:
    """All links of one registered version, from the version to the sources."""

    version: str  # models:/<name>/<version>
    aliases: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def broken(self) -> list[Link]:
        """Links whose target is missing or changed."""
        return [link for link in self.links if link.problem]

    def matching(self, wanted: str) -> list[Link]:
        """Links with a digest (or its first 8 or more characters), a path, or an id."""
        return [
            link
            for link in self.links
            if wanted in (link.where, link.digest, link.name) or (len(wanted) >= 8 and link.digest.startswith(wanted))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain types, ready for JSON."""
        return {
            "version": self.version,
            "aliases": list(self.aliases),
            "links": [asdict(link) for link in self.links],
            "broken": len(distinct(self.broken)),
        }


def distinct(links: Iterable[Link]) -> list[Link]:
    """Links without duplicates: several versions share shards and videos."""
    return list({link.identity: link for link in links}.values())


def broken_in(chains: Sequence[Chain]) -> list[Link]:
    """Broken links of several chains, without duplicates."""
    return distinct(link for chain in chains for link in chain.broken)
