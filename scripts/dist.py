"""Build the source distribution and, from it, the wheel, into build/dist, and check both: ``make dist``.

    python -m scripts.dist [--out FOLDER]

Runs ``build`` with the setuptools that is installed, ``twine check --strict`` and ``check-wheel-contents``, and prints
the sizes. Ends with status 1 if one of them objects or the wheel is larger than 20 MB. Nothing is uploaded.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
TOOLS = ("build", "twine", "check_wheel_contents")
LARGEST = 20_000_000  # bytes of a wheel


def main() -> int:
    """Build and check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=PROJECT / "build" / "dist", help="receives both files")
    out = parser.parse_args().out.resolve()
    missing = [name for name in TOOLS if importlib.util.find_spec(name) is None]
    if missing:
        print(f"{', '.join(missing)} cannot be imported; run: python -m pip install -e '.[dist]'", file=sys.stderr)
        return 1
    fresh = out.with_name(f"{out.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    if run("build", "--no-isolation", "--outdir", str(fresh), str(PROJECT)):
        return 1
    fresh.mkdir(exist_ok=True)
    files = sorted(fresh.iterdir())
    failed = [
        run("twine", "check", "--strict", *map(str, files)),
        run("check_wheel_contents", *(str(path) for path in files if path.suffix == ".whl")),
    ]
    for path in files:
        size = path.stat().st_size
        print(f"{size / 1e6:6.1f} MB  {path.name}")
        if path.suffix == ".whl" and size > LARGEST:
            print(f"{path.name} is larger than {LARGEST / 1e6:g} MB", file=sys.stderr)
            failed.append(1)
    if not any(failed):
        out.mkdir(parents=True, exist_ok=True)
        for path in files:
            path.replace(out / path.name)
        shutil.rmtree(fresh)
        print(f"checked, in {out}")
    return int(any(failed))


def run(tool: str, *arguments: str) -> int:
    """The status of a tool, whose output is shown."""
    print(f"\n{tool} {' '.join(arguments)}", flush=True)
    return subprocess.run([sys.executable, "-m", tool, *arguments], cwd=PROJECT, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main())
