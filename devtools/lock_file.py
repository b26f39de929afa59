"""The packages of ``requirements.lock``.

Keep out: facts from elsewhere: licences, newer releases (`devtools.outdated`), vulnerabilities.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "requirements.lock"


def locked(lock: str) -> Iterator[tuple[str, str]]:
    """Name and version of every package of a lock file, in its order."""
    for line in lock.splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==([^\s;#]+)", line):
            yield found[1], found[2]
