"""Records of vulnerabilities that nobody has, as OSV writes them."""

from __future__ import annotations

from typing import Any


def record(name: str, *events: dict[str, str], versions: tuple[str, ...] = ()) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    package = {"name": name, "ecosystem": "PyPI"}
    return {
        "id": "TEST-1",
        "summary": "made up",
        "affected": [{"package": package, "ranges": ranges, "versions": list(versions)}],
    }
