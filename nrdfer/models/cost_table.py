"""Costs of the networks that come with the project, one row each: behind ``nrdfer models`` and ``docs/models.md``.

They are shipped as a table, because counting them builds every network, which takes seconds and needs torch.
``make docs`` counts them again (``costs``), and a test compares. Keep out: anything that imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

#: The table, one object a network.
SHIPPED = Path(__file__).with_name("costs.json")
#: Columns of the table that people read.
HEADER = (
    "network",
    "preset",
    "(M, N)",
    "params (M)",
    "computed",
    "with filter",
    "counted as published",
    "published",
    "ratio",
    "table",
)


@dataclass(frozen=True)
class Cost:
    """Costs of one network for one clip."""

    name: str
    title: str
    preset: str
    settings: dict[str, Any]
    parameters: int
    gmacs: float  # really computed, without snippets, each layer once; G = 1e9
    gmacs_with_filter: float | None  # with the snippet-based filter, for networks that have it
    gmacs_published_counting: float
    gmacs_published: float | None
    ratio: float | None  # published counting to published
    table: str  # of the paper
    note: str


def shipped_costs() -> tuple[Cost, ...]:
    """The shipped table, in the order of `nrdfer.models.costs.measure_all`."""
    return tuple(Cost(**row) for row in json.loads(SHIPPED.read_text(encoding="utf-8")))


def to_json(costs: Iterable[Cost]) -> str:
    """The table as a text for `SHIPPED`."""
    return json.dumps([asdict(cost) for cost in costs], indent=1) + "\n"


def cost_row(cost: Cost) -> list[str]:
    """One row below `HEADER`."""

    def formatted(value: float | None, digits: int = 2) -> str:
        return "" if value is None else f"{value:.{digits}f}"

    depths = f"({cost.settings['M']}, {cost.settings['N']})" if "M" in cost.settings else ""
    return [
        cost.name,
        cost.preset,
        depths,
        formatted(cost.parameters / 1e6, 1),
        formatted(cost.gmacs),
        formatted(cost.gmacs_with_filter),
        formatted(cost.gmacs_published_counting),
        formatted(cost.gmacs_published),
        formatted(cost.ratio, 3),
        cost.table,
    ]
