"""Print what an installation costs: ``python -m bench.install [--packages ARGUMENTS] [--json OUT]``; minutes.

Installs into a fresh environment with pip, as ``make install`` does, and prints the number of packages, seconds and
bytes on the disk; then the processor's seconds of `nrdfer --help` and `nrdfer doctor` in it, the second time. Seconds
depend on the network and on pip's cache; bytes do not. Without ``--packages`` it installs the developers' lock,
with ``--packages '-c requirements.lock .'`` the library alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Install, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--packages", default="-r requirements.lock", help="arguments of `pip install`")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measured(Path(temporary), shlex.split(chosen.packages))
    print(json.dumps(figures))
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def measured(place: Path, packages: Sequence[str]) -> dict[str, Any]:
    """Figures of one installation."""
    environment, report = place / "environment", place / "report.json"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    began = time.monotonic()
    subprocess.run([*pip, "--report", str(report), *packages], check=True, cwd=PROJECT)  # noqa: S603 - the user's
    seconds = time.monotonic() - began
    subprocess.run([*pip, "--no-deps", str(PROJECT)], check=True, cwd=place)  # noqa: S603
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    commands = [str(environment / "bin" / "nrdfer"), "--help"], [str(environment / "bin" / "nrdfer"), "doctor"]
    return {
        "packages": len(installed),
        "largest": max(_sizes(environment).items(), key=lambda item: item[1]),
        "seconds": round(seconds, 1),
        "megabytes_on_disk": round(sum(_sizes(environment).values()) / 1e6),
        "processor_seconds": {line[1]: round(_second_time(line, place), 2) for line in commands},
    }


def _sizes(environment: Path) -> dict[str, int]:
    """Bytes below each folder of the environment's packages."""
    (packages,) = environment.glob("lib/python*/site-packages")
    return {entry.name: _bytes(entry) for entry in packages.iterdir()}


def _bytes(entry: Path) -> int:
    files = [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
    return sum(path.lstat().st_size for path in files)


def _second_time(line: Sequence[str], place: Path) -> float:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NRDFER_")}
    before = 0.0
    for _ in range(2):
        before = _children()
        subprocess.run(  # noqa: S603
            line, cwd=place, env={**kept, "NRDFER_HOME": str(place / "home")}, check=True, capture_output=True
        )
    return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
