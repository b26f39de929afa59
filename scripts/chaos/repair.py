"""Repair beside living runs of other containers and hosts, and after they were killed: ``make chaos-repair``.

    python -m scripts.chaos.repair [--trials 100] [--rounds 3] [--json FILE]

Needs root on Linux, for namespaces. Three processes execute runs (`devtools.chaos.live_run`) and share a project folder
with this one: in a process table of its own under this host's name, in another such, and in a third under another
host's name. Each trial begins a new run in one of them; what ``python -m pipelines.repair`` does is then done beside
all, by a process on the host and by one in a container of the host's name in turn. A run is untouched if Dagster calls
it started, its pool slot is claimed, its MLflow run is open and its child lives. At the end of each round all are
killed. A dead run is recognised when repair would call it dead; the command is then called, which must fail the run and
free its slot. Ends with status 1 unless all were untouched, recognised within a minute and repaired.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, chdir
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from devtools.chaos.live_run import POOL
from devtools.chaos.namespaces import CONTAINER, OTHER_HOST, why_not
from devtools.own_places import json_file
from devtools.tiny_project import PROJECT
from nrdfer.core.own_files import write_made
from nrdfer.tracking.open_runs import PIPELINES
from pipelines import run_lease

KINDS = {"process table of its own": CONTAINER, "container of the same name": CONTAINER, "another host": OTHER_HOST}
RECOGNISED = 60.0  # seconds within which a dead run must be
_ALL = "its status is changed, its slot is freed, its MLflow run is closed"
_REPAIR = [sys.executable, "-m", "pipelines.repair"]
_REPAIRER = "import sys; from pipelines import repair\nfor _ in sys.stdin: repair.main(); print(flush=True)"
_LIVE = [sys.executable, "-m", "devtools.chaos.live_run"]


class LiveRuns:
    """A process that executes runs in namespaces of its own.

    Args:
        prefix: the command that makes them.
        folder: with a dagster.yaml.
    """

    def __init__(self, prefix: list[str], folder: Path) -> None:
        self.run_ids: list[str] = []
        self._log = folder / "live.log"
        self.ended_children = 0
        with self._log.open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*prefix, *_LIVE], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def begin(self) -> None:
        """Begin one more run; also learns how many children of the earlier ones have been ended."""
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("its input and output are pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        run_id, _, ended = self._process.stdout.readline().partition(" ")
        if not ended:
            raise SystemExit(f"a process that executes runs has ended:\n{self._log.read_text()[-4000:]}")
        self.run_ids.append(run_id)
        self.ended_children = int(ended)

    def kill(self) -> None:
        """SIGKILL for all that is in its namespaces."""
        self._process.kill()
        self._process.communicate()


def touched(instance: dg.DagsterInstance, run_id: str) -> str:
    """What repair has done to a run; empty if nothing."""
    run, record = instance.get_run_by_id(run_id), PIPELINES.read(run_id)
    (info,) = instance.event_log_storage.get_concurrency_infos([POOL]).values()
    found = []
    if run is None or run.status is not dg.DagsterRunStatus.STARTED:
        found.append("its status is changed")
    if run_id not in {slot.run_id for slot in info.claimed_slots}:
        found.append("its slot is freed")
    if record is None or record.status:
        found.append("its MLflow run is closed")
    return ", ".join(found)


class Repairer:
    """A process that repairs whenever it is told to, as the command does: starting Python takes longest of all."""

    def __init__(self, prefix: list[str], folder: Path) -> None:
        with (folder / "repair.log").open("a") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*prefix, sys.executable, "-c", _REPAIRER],
                cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip

    def repair(self) -> None:
        """Repair once."""
        if self._process.stdin is None or self._process.stdout is None:
            raise TypeError("its input and output are pipes")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise SystemExit("a process that repairs has ended; its messages are in repair.log")

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def play(folder: Path, instance: dg.DagsterInstance, trials: int) -> tuple[list[str], list[float]]:
    """One round; returns what was done to each run that a trial began, and after how many seconds a death was seen."""
    live = {kind: LiveRuns(prefix, folder) for kind, prefix in KINDS.items()}
    repairers = [Repairer([], folder), Repairer(CONTAINER, folder)]
    verdicts: list[str] = []
    with ExitStack() as stack:
        for one in (*live.values(), *repairers):
            stack.callback(one.kill)
        for number in range(-(-trials // len(live))):
            for process in live.values():
                process.begin()
            repairers[number % 2].repair()
            for kind, process in live.items():
                done = touched(instance, process.run_ids[-1])
                if process.ended_children:
                    done += f", {process.ended_children} children are ended"
                verdicts.append(f"{kind}: {done}" if done else "")
        last = {process.run_ids[-1] for process in live.values()}
    return verdicts[:trials], recognise(folder, instance, last)


def recognise(folder: Path, instance: dg.DagsterInstance, killed: set[str]) -> list[float]:
    """Seconds until each of these runs, whose processes were killed just now, is recognised; then repairs them."""
    began, left, seconds = time.monotonic(), set(killed), []
    while left and time.monotonic() - began < 2 * RECOGNISED:
        records = instance.get_run_records(dg.RunsFilter(run_ids=list(left)))
        found = {run.run_id for run in run_lease.dead(instance, records)}
        seconds += [time.monotonic() - began] * len(found)
        left -= found
    subprocess.run(_REPAIR, cwd=folder, check=True, capture_output=True)  # noqa: S603
    repaired = {run_id for run_id in killed if touched(instance, run_id) == _ALL}
    return seconds + [float("inf")] * (len(left) + len(killed - repaired))


def main() -> None:
    """Read the options, play the rounds, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="runs beside which repair is called (100)")
    parser.add_argument("--rounds", type=int, default=3, help="after each, all are killed (3)")
    parser.add_argument("--json", type=json_file, help="file to write")
    given = parser.parse_args()
    if reason := why_not():
        raise SystemExit(reason)
    verdicts: list[str] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="chaos-repair-") as temporary:
        folder = Path(temporary)
        shutil.copy(PROJECT / "dagster.yaml", folder)
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        os.environ |= {"NRDFER_HOME": str(folder / ".nrdfer"), "DAGSTER_HOME": str(folder), "PYTHONPATH": str(PROJECT)}
        # the shipped dagster.yaml names folders relative to the working directory
        with chdir(folder), dg.DagsterInstance.from_ref(InstanceRef.from_dir(temporary)) as instance:
            instance.event_log_storage.set_concurrency_slots(POOL, 1000)
            for number in range(given.rounds):
                share = given.trials * (number + 1) // given.rounds - given.trials * number // given.rounds
                new, times = play(folder, instance, share)
                verdicts, seconds = verdicts + new, seconds + times
                for verdict in filter(None, new):
                    print(verdict, flush=True)
                print(f"round {number + 1}: untouched {new.count('')} of {share}, dead seen after {times}", flush=True)
    if given.json:
        write_made(given.json, json.dumps({"verdicts": verdicts, "seconds": seconds}).encode())
    print(f"untouched: {verdicts.count('')} of {len(verdicts)}")
    print(f"dead runs recognised after at most {max(seconds):.1f} s, {len(seconds)} of them")
    if any(verdicts) or max(seconds) >= RECOGNISED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
