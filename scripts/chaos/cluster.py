"""Kill nodes, steps and the orchestrating process on a cluster, at random moments: ``make chaos-cluster``.

    python -m scripts.chaos.cluster [--kills 10] [--engines slurm,ray] [--seed 0] [--folder DIR] [--json FILE]

Every trial has a cluster of its own (two hosts on this machine, `devtools.namespace_host`) and a folder with a tiny
profile, in which ``dagster job execute -j full_reproduction`` is typed. SIGKILL goes to all processes of a host, to one
step's process, or to the process that orchestrates the run, after a number of steps that is drawn from all that an
undisturbed run starts. After the first two the run must go on by itself and end with status 0; after the third the
same command is typed again, with nothing done by hand. Every second trial begins with data that are ready.

A trial is good if the last command ends with status 0; a step that was lost is started again within 60 seconds; no pool
slot is held, no MLflow run is RUNNING, no process is left; and every result has the sha256 of an undisturbed run on one
machine, without a cluster. Ends with status 1 unless all are good.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from devtools.chaos.cluster_kills import ENGINES, MISSING, Disturber, plan
from devtools.chaos.trials import conclude, play, work_folder
from devtools.own_places import json_file


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="of each engine (10)")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which, with commas (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (0)")
    parser.add_argument("--folder", type=Path, help="to work in and to keep; what ended there is not repeated")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    engines = [name for name in given.engines.split(",") if name]
    for name in engines:
        if name not in ENGINES:
            parser.error(f"no engine {name!r}; there are {', '.join(ENGINES)}")
        if reason := MISSING[name]():
            raise SystemExit(f"{name}: {reason}")
    os.environ.pop("NRDFER_EXECUTOR", None)
    with work_folder(given) as folder:
        disturber = Disturber(folder, given.seed)
        print(f"seed {given.seed}; {len(disturber.expected)} files", flush=True)
        trials = play(plan(engines, given.kills), disturber.disturb, folder)
    conclude(given, "identical", trials)


if __name__ == "__main__":
    main()
