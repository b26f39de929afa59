"""Run all fuzz tests on many inputs and print the outcomes.

    python -m scripts.fuzz [--inputs 20000] [--from 0] [--json fuzz.json] [-- pytest's arguments]

Ends 1 if an input gave neither a result nor a readable error. The tests name the seed and the command to repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from nrdfer.core import markdown_text

PROJECT = Path(__file__).resolve().parents[1]
COLUMNS = ("inputs", "results", "words", "wrong", "crashes", "hangs", "memory", "peak_mib", "seconds")


def main() -> int:
    """Run, print a line a part and their sum, and answer with pytest's status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="inputs a part; slow parts divide it")
    parser.add_argument("--from", dest="first", type=int, default=0, help="first seed")
    parser.add_argument("--json", type=Path, help="keep the figures here, a line a part")
    parser.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = chosen.json.resolve() if chosen.json else Path(folder) / "figures.json"
        figures.unlink(missing_ok=True)
        environment = os.environ | {
            "NRDFER_FUZZ_INPUTS": str(chosen.inputs),
            "NRDFER_FUZZ_FROM": str(chosen.first),
            "NRDFER_FUZZ_JSON": str(figures),
            "OMP_NUM_THREADS": "1",
        }
        line = [
            sys.executable,
            "-m",
            "pytest",
            "tests/fuzz",
            "--deselect",
            "tests/fuzz/test_harness.py",
            *chosen.pytest,
        ]
        status = subprocess.run(line, cwd=PROJECT, env=environment).returncode  # noqa: S603
        if figures.exists():
            print(table([json.loads(found) for found in figures.read_text().splitlines()]))
    return status


def table(parts: list[dict[str, Any]]) -> str:
    """Markdown: a line a part and the sum."""
    rows = [[part["name"], *(part[column] for column in COLUMNS)] for part in parts]
    total = {column: sum(part[column] for part in parts) for column in COLUMNS}
    total |= {"peak_mib": max((part["peak_mib"] for part in parts), default=0), "seconds": round(total["seconds"], 1)}
    lines = [*rows, ["all", *total.values()]]
    return markdown_text.table(["part", *COLUMNS], (map(str, line) for line in lines))


if __name__ == "__main__":
    sys.exit(main())
