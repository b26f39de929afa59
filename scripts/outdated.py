"""Print which locked packages have a newer release, and what holds each back: Markdown, as in docs/reliability.md.

python -m scripts.outdated
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import distributions

from packaging.utils import canonicalize_name

from devtools.lock_file import LOCK, locked
from devtools.outdated import limits_of, table


def main() -> int:
    """Ask the package index and print."""
    line = [sys.executable, "-m", "pip", "list", "--outdated", "--format", "json"]
    done = subprocess.run(line, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        print(f"the package index does not answer: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return 1
    newest = {canonicalize_name(row["name"]): row["latest_version"] for row in json.loads(done.stdout)}
    print(table(locked(LOCK.read_text(encoding="utf-8")), newest, limits_of(distributions())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
