"""Seconds of the whole job: every step in a new Python process, and steps forked from one that has loaded everything.

    python -m bench.step_processes [--rounds 3] [--epochs 2] [--methods spawn forkserver]

Prints one line of JSON. The job is ``full_reproduction`` on a tiny profile: from nothing (once each), and again with
everything up to date (median of the rounds, which take turns), when starting processes is nearly all there is to do.
Each is measured in seconds of the wall and in those of the processors (user and system, of all processes on Linux),
which depend less on what else the machine does.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from devtools.dagster_history import said
from devtools.tiny_project import LINE, make_project

METHODS = ("spawn", "forkserver")
_PR_SET_CHILD_SUBREAPER = 36  # of Linux


class Cost(NamedTuple):
    """Seconds of one job."""

    wall: float
    cpu: float


def cost(folder: Path, environment: dict[str, str], method: str) -> Cost:
    """Seconds of the job in a project folder, and of all that it starts.

    Raises:
        RuntimeError: it failed.
    """
    config = folder / f"{method}.yaml"
    config.write_text(json.dumps({"execution": {"config": {"start_method": {method: {}}}}}))
    began, before = time.perf_counter(), _cpu()
    line = [*LINE, "-c", str(config)]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode != 0:
        raise RuntimeError(f"the job ended with {done.returncode}:\n{done.stderr[-4000:]}")
    wall = time.perf_counter() - began
    with contextlib.suppress(ChildProcessError):  # the process that steps were forked from ends a moment later
        while True:
            os.wait()
    return Cost(wall, _cpu() - before)


def _cpu() -> float:
    """Seconds of the processors, of all processes that this one has waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of the training on DFEW")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    given = parser.parse_args()
    if sys.platform == "linux":  # what outlives its parent becomes a child of this process, which waits for it
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory(prefix="step-processes-") as temporary:
        folders = {method: Path(temporary) / method for method in given.methods}
        environments = {method: make_project(folder, epochs=given.epochs) for method, folder in folders.items()}
        nothing = {method: cost(folders[method], environments[method], method) for method in given.methods}
        last = given.methods[-1]  # all look at the same artefacts from here
        rounds = [
            {method: cost(folders[last], environments[last], method) for method in given.methods}
            for _ in range(given.rounds)
        ]
        if given.rounds and "computed and published" in said(folders[last]):
            raise RuntimeError("a step was not up to date")
    told: dict[str, object] = {}
    for part in Cost._fields:
        first = {method: getattr(found, part) for method, found in nothing.items()}
        again = {
            method: statistics.median(getattr(found[method], part) for found in rounds)
            for method in (given.methods if rounds else ())
        }
        for name, values in (("from_nothing", first), ("up_to_date", again)):
            told[f"{name}_{part}_s"] = {method: round(value, 1) for method, value in values.items()}
            if len(values) == len(METHODS):
                told[f"{name}_{part}_ratio"] = round(values["spawn"] / values["forkserver"], 2)
    told |= {"rounds": given.rounds, "machine": platform.processor() or platform.machine()}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
