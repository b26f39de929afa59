"""Seconds of the whole job: every step in a new Python process, and steps forked from one that has loaded everything.

    python -m bench.step_processes [--rounds 3] [--epochs 2]

Prints one line of JSON. The job is ``full_reproduction`` on a tiny profile: from nothing (once each), and again with
everything up to date (median of the rounds, which take turns), when starting processes is nearly all there is to do.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from devtools.dagster_history import said
from devtools.tiny_project import LINE, make_project

METHODS = ("spawn", "forkserver")


def seconds(folder: Path, environment: dict[str, str], method: str) -> float:
    """Wall time of the job in a project folder.

    Raises:
        RuntimeError: it failed.
    """
    config = folder / f"{method}.yaml"
    config.write_text(json.dumps({"execution": {"config": {"start_method": {method: {}}}}}))
    began = time.perf_counter()
    line = [*LINE, "-c", str(config)]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)  # noqa: S603
    if done.returncode != 0:
        raise RuntimeError(f"the job ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return time.perf_counter() - began


def main() -> None:
    """Read the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2, help="of the training on DFEW")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="step-processes-") as temporary:
        folders = {method: Path(temporary) / method for method in METHODS}
        environments = {method: make_project(folder, epochs=given.epochs) for method, folder in folders.items()}
        nothing = {method: seconds(folders[method], environments[method], method) for method in METHODS}
        shutil.rmtree(folders["spawn"])  # both look at the same artefacts from here
        folder, environment = folders["forkserver"], environments["forkserver"]
        rounds = [{method: seconds(folder, environment, method) for method in METHODS} for _ in range(given.rounds)]
        if "computed and published" in said(folder):
            raise RuntimeError("a step was not up to date")
    again = {method: statistics.median(times[method] for times in rounds) for method in METHODS}
    told = {
        "from_nothing_s": {method: round(nothing[method], 1) for method in METHODS},
        "from_nothing_ratio": round(nothing["spawn"] / nothing["forkserver"], 2),
        "up_to_date_s": {method: round(again[method], 1) for method in METHODS},
        "up_to_date_ratio": round(again["spawn"] / again["forkserver"], 2),
        "rounds": given.rounds,
        "machine": platform.processor() or platform.machine(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
