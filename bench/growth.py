"""How the cost of each stage grows with a corpus: processor seconds and memory for 1,000 to 100,000 clips.

    python -m bench.growth [--clips 1000 10000 100000] [--folder DIR] [--json OUT]

Makes a tree of each size in FERV39k's layout (8 pictures a clip; links to rendered faces), and runs listing, sharding,
folds, the opening of the index, the loader, the evaluation of a fifth of the clips, the report's pooling of five folds,
and lineage, each in a process of its own. Prints one line of JSON: processor seconds and megabytes of each stage, above
those of its imports, and the exponent of their growth between the two largest sizes: 1 is linear, 0 constant.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from devtools.growth import exponents
from devtools.growth_stages import PREPARE, STAGES, tree

HERE = Path(__file__).resolve().parents[1]
_STATUS = Path("/proc/self/status")


def run_stage(name: str, place: Path) -> dict[str, float]:
    """Run one stage in this process; its processor seconds and the megabytes that it added at its peak."""
    before, began = _processor(), time.perf_counter()
    start = _peak()
    STAGES[name](place)
    return {
        "cpu_seconds": round(_processor() - before, 2),
        "seconds": round(time.perf_counter() - began, 2),
        "megabytes": round(max(_peak() - start, _children() - start, 0.0), 1),
    }


def _processor() -> float:
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in times)


def _peak() -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _children() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def measure(clips: int, place: Path) -> dict[str, dict[str, float]]:
    """The figures of every stage for a corpus of `clips` clips."""
    place.mkdir(parents=True)
    tree(place, clips)
    found: dict[str, dict[str, float]] = {}
    for name in STAGES:
        line = [sys.executable, "-m", "bench.growth", "--stage", name, "--folder", str(place)]
        # the line is this bench's own, a module of this checkout
        done = subprocess.run(line, cwd=HERE, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise SystemExit(f"{name} of {clips} clips ended with status {done.returncode}; its errors are above")
        figures = json.loads(done.stdout.splitlines()[-1])
        print(f"{clips:>7} clips  {name:10}  {figures}", file=sys.stderr, flush=True)
        if name not in PREPARE:
            found[name] = figures
    return found


def main() -> None:
    """Read the options, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 10_000, 100_000], help="sizes, rising")
    parser.add_argument("--folder", type=Path, help="to work in, and to keep; else a temporary one")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--stage", choices=tuple(STAGES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(json.dumps(run_stage(given.stage, given.folder)))
        return
    if len(given.clips) < 2 or given.clips != sorted(set(given.clips)) or given.clips[0] < 100:
        parser.error("--clips: two sizes or more, rising, from 100 on")
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        measured = [measure(clips, root / str(clips)) for clips in given.clips]
    sizes = {str(clips): figures for clips, figures in zip(given.clips, measured, strict=True)}
    told: dict[str, Any] = {"bench": "growth", "clips": sizes, "exponents": exponents(given.clips, measured)}
    print(json.dumps(told))
    if given.json:
        given.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
