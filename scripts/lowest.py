"""Install the lowest releases that pyproject.toml allows, and try them out: ``make lowest``; minutes.

    python -m scripts.lowest [--python 3.11] [--torch lowest|locked] [--keep FOLDER]

The set is that of ``uv pip compile --resolution lowest-direct``: what pyproject.toml names at its lowest, the others as
those admit. It ends with status 1 if a part fails. With ``--torch locked`` PyTorch alone is that of
requirements.lock, for machines that cannot download the old one, which is a build for CUDA on Linux.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from devtools.lock_file import LOCK, locked
from devtools.smoke import PROJECT, Outcome, install, try_out, uv

_OF_TORCH = re.compile(r"(torch|triton|nvidia-[\w-]+)==")


def main() -> int:
    """Compile, install and try out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--python", default="3.11", help="version or interpreter; 3.11")
    parser.add_argument("--torch", choices=("lowest", "locked"), default="lowest", help="which PyTorch; the lowest")
    parser.add_argument("--keep", type=Path, help="a new folder for the environment, which stays")
    chosen = parser.parse_args()
    if chosen.keep is not None and chosen.keep.exists():
        parser.error(f"{chosen.keep} exists; name a folder that does not")
    with tempfile.TemporaryDirectory() as temporary:
        place = chosen.keep or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        pins = place / "lowest.txt"
        pins.write_text(compiled(chosen.python, chosen.torch == "locked"), encoding="utf-8")
        told = list(install(chosen.python, place / "environment", ["-r", str(pins), str(PROJECT)]))
        show(told)
        if all(outcome.passed for outcome in told):
            for outcome in try_out(place / "environment", place / "project"):
                show([outcome])
                told.append(outcome)
        print(" ".join(row for row in pins.read_text(encoding="utf-8").splitlines() if _is_direct(row)))
    return int(not all(outcome.passed for outcome in told))


def compiled(python: str, locked_torch: bool) -> str:
    """The lowest releases, one a line."""
    line = [uv(), "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--no-annotate", "--no-header"]
    done = subprocess.run(  # noqa: S603
        [*line, "--no-sources", "--python", python, str(PROJECT / "pyproject.toml")], capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"the lowest releases do not fit together: {done.stderr.strip()}")
    rows = done.stdout.splitlines()
    if locked_torch:
        versions = dict(locked(LOCK.read_text(encoding="utf-8")))
        rows = [row for row in rows if not _OF_TORCH.match(row)] + [f"torch=={versions['torch']}"]
    return "\n".join(rows) + "\n"


def show(outcomes: list[Outcome]) -> None:
    """Print outcomes as they come."""
    for outcome in outcomes:
        mark = "passed" if outcome.passed else "FAILED"
        print(f"{mark}  {outcome.part}, {outcome.seconds:.0f} s: {outcome.last}", flush=True)


def _is_direct(row: str) -> bool:
    """Whether a line of the set is of a package that pyproject.toml names for the library."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    names = {canonicalize_name(Requirement(line).name) for line in settings["project"]["dependencies"]}
    return canonicalize_name(row.partition("==")[0]) in names


if __name__ == "__main__":
    sys.exit(main())
