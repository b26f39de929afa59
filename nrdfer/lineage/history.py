"""Interface to the orchestrator's history, as lineage needs it; ``pipelines`` implements it for Dagster.

The library does not know Dagster. The package that does registers an `Orchestrator` under the entry point `GROUP`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Protocol

from nrdfer.core.errors import NrdferError

GROUP = "nrdfer.orchestrators"


@dataclass(frozen=True)
class RunSeen:
    """A run in its orchestrator's history."""

    run_id: str
    job: str
    status: str
    address: str  # of its page


@dataclass(frozen=True)
class Materialisation:
    """Event in which a step made, or found, an artefact."""

    run_id: str
    step: str
    time: float  # seconds since 1970
    metadata: Mapping[str, Any]  # plain values


class Orchestrator(Protocol):
    """Interface to an orchestrator's history of runs and steps."""

    def run(self, run_id: str) -> RunSeen | None:
        """A run; None if the history does not have it."""

    def materialisations(self, asset_key: str, digest: str) -> list[Materialisation]:
        """Every time that an asset was made, or found, with that digest; the oldest first."""


def find_orchestrator() -> Orchestrator:
    """The installed orchestrator's history.

    Raises:
        NrdferError: none is installed.
    """
    for entry in entry_points(group=GROUP):
        found: Orchestrator = entry.load()()
        return found
    raise NrdferError(
        "Dagster's history cannot be read: the package 'pipelines' is not installed; install nrdfer again"
    )
