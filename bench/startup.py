"""CPU seconds of short commands, from their start to their end: help, version, lists, and a model that is missing.

    python -m bench.startup [--rounds 3]

Prints one line of JSON: for each command, the least CPU time (user and system) and wall time of the rounds, after one
that warms the disk's cache. Each runs in a new empty folder, as in a shell that was not activated.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

#: Command -> the status it ends with.
COMMANDS: dict[tuple[str, ...], tuple[int, ...]] = {
    ("--help",): (0,),
    ("--version",): (0,),
    ("models",): (0,),
    ("weights", "list"): (0,),
    ("doctor",): (0, 1),  # its verdict on this machine
    ("predict", "clip.mp4", "--model", "models:/nobody@champion"): (1,),
}


def measure(words: tuple[str, ...], statuses: tuple[int, ...], folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of one command.

    Raises:
        RuntimeError: it ended in another way than expected.
    """
    ours = ("NRDFER", "_NRDFER", "MLFLOW", "DAGSTER")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    line = [sys.executable, "-m", "nrdfer.cli", *words]
    begun = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        line, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in statuses:
        raise RuntimeError(f"nrdfer {' '.join(words)} ended with {process.returncode}, not {statuses}")
    return usage.ru_utime + usage.ru_stime, wall


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    figures = {}
    with tempfile.TemporaryDirectory(prefix="startup-") as folder:
        (Path(folder) / "clip.mp4").touch()
        for words, statuses in COMMANDS.items():
            measure(words, statuses, Path(folder))
            measured = [measure(words, statuses, Path(folder)) for _ in range(rounds)]
            cpu, wall = (min(values) for values in zip(*measured, strict=True))
            figures[" ".join(words)] = {"cpu_s": round(cpu, 2), "wall_s": round(wall, 2)}
    machine = platform.processor() or platform.machine()
    print(json.dumps({"bench": "startup", "commands": figures, "rounds": rounds, "machine": machine}))


if __name__ == "__main__":
    main()
