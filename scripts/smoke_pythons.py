"""Install into a fresh environment of each supported Python, and try it out: ``make pythons``; minutes each.

    python -m scripts.smoke_pythons [3.11 3.12 3.13] [--arguments '--torch-backend cpu'] [--newest] [--keep FOLDER]

Releases are those of requirements.lock, or with ``--newest`` the newest that pyproject.toml allows. An interpreter
that is not on this machine, and that uv cannot download, is told and left out. It ends with status 1 if a part fails,
and with 2 if none failed but an interpreter was missing. ``--arguments`` go to ``uv pip install``: without any, PyTorch
comes from the package index, which on Linux is the build for CUDA, of gigabytes.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from devtools.lock_file import LOCK
from devtools.smoke import PROJECT, Outcome, install, try_out, uv

PYTHONS = ("3.11", "3.12", "3.13")


def main() -> int:
    """Try each Python; a Markdown table at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pythons", nargs="*", default=PYTHONS, help="versions or interpreters")
    parser.add_argument("--arguments", default="", help="more arguments of `uv pip install`")
    parser.add_argument("--newest", action="store_true", help="the newest releases in range, not the locked ones")
    parser.add_argument("--keep", type=Path, help="a new folder for the environments, which stay")
    chosen = parser.parse_args()
    if chosen.keep is not None and chosen.keep.exists():
        parser.error(f"{chosen.keep} exists; name a folder that does not")
    pins = [] if chosen.newest else ["--constraint", str(LOCK)]
    rows: dict[str, list[Outcome] | None] = {}
    with tempfile.TemporaryDirectory() as temporary:
        place = chosen.keep or Path(temporary)
        for number, python in enumerate(chosen.pythons):
            if not _is_there(python):
                rows[python] = None
                print(f"{python}: not on this machine, and uv cannot download it", flush=True)
                continue
            folder = place / str(number)
            told = [*install(python, folder / "environment", [*pins, *shlex.split(chosen.arguments), str(PROJECT)])]
            if all(outcome.passed for outcome in told):
                told += try_out(folder / "environment", folder / "project")
            for outcome in told:
                print(
                    f"{python}: {'passed' if outcome.passed else 'FAILED'}  {outcome.part}: {outcome.last}", flush=True
                )
            rows[python] = told
    print("\n".join(table(rows)))
    failed = any(told is not None and not all(outcome.passed for outcome in told) for told in rows.values())
    return 1 if failed else 2 if None in rows.values() else 0


def table(rows: dict[str, list[Outcome] | None]) -> list[str]:
    """Markdown: a line a Python."""
    lines = ["| Python | result |", "|---|---|"]
    for python, told in rows.items():
        failed = [outcome for outcome in told or () if not outcome.passed]
        if told is None:
            words = "not tried: there is no such interpreter"
        elif failed:
            words = f"failed: {failed[0].part}: {failed[0].last}"
        else:
            words = ", ".join(outcome.part for outcome in told)
        lines.append(f"| {python} | {words} |")
    return lines


def _is_there(python: str) -> bool:
    line = [uv(), "python", "find", "--no-project", python]
    return subprocess.run(line, capture_output=True).returncode == 0  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
