"""Findings about a machine, grouped in sections; a finding is one line for a person, facts are for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from nrdfer.core.plain_text import one_line
from nrdfer.core.redaction import hide

#: ok; note: nothing is wrong; warning: something will be slow, or fail later; missing: the first reproduction needs it.
Level = Literal["ok", "note", "warning", "missing"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    level: Level
    text: str


@dataclass
class Section:
    """What was found in one respect."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)  # plain values, for JSON

    def note(self, level: Level, text: str) -> None:
        """Add a finding; secrets and control characters never reach the report."""
        self.findings.append(Finding(level, one_line(hide(text))))

    @property
    def complete(self) -> bool:
        """Whether nothing is missing for a first reproduction."""
        return all(finding.level != "missing" for finding in self.findings)


def amount(size: float) -> str:
    """Bytes for a person: ``23.4 GiB``."""
    return f"{size / (1 << 30):.1f} GiB"
