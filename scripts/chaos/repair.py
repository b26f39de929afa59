"""Repair beside living runs of other containers and hosts, and after they were killed: ``make chaos-repair``.

    python -m scripts.chaos.repair [--trials 100] [--rounds 3] [--json FILE]

Needs root on Linux, for namespaces. Three processes execute runs (`devtools.chaos.live_run`) and share a project folder
with this one: in a process table of its own under this host's name, in another such, and in a third under another
host's name. Each trial begins a new run in one of them; ``python -m pipelines.repair`` is then called beside all, on
the host and in a container of the host's name in turn. A run is untouched if Dagster calls it started, its pool slot is
claimed, its MLflow run is open and its child lives. At the end of each round all are killed, and repair is called until
it has recognised that. Ends with status 1 unless all were untouched and recognised within a minute.
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
from devtools.own_places import json_file
from devtools.tiny_project import PROJECT
from nrdfer.core.own_files import write_made
from nrdfer.tracking.open_runs import PIPELINES

CONTAINER = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
OTHER_HOST = [*CONTAINER, "--uts", "sh", "-c", 'hostname another-host; exec "$@"', "sh"]
KINDS = {"process table of its own": CONTAINER, "container of the same name": CONTAINER, "another host": OTHER_HOST}
RECOGNISED = 60.0  # seconds within which a dead run must be
_REPAIR = [sys.executable, "-m", "pipelines.repair"]
_LIVE = [sys.executable, "-m", "devtools.chaos.live_run"]


def why_not() -> str:
    """Reason why namespaces cannot be made here; empty if they can."""
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return "namespaces are Linux's, made by unshare"
    done = subprocess.run([*OTHER_HOST, "true"], capture_output=True, text=True)  # noqa: S603
    return "" if done.returncode == 0 else f"namespaces cannot be made: {done.stderr.strip()}"


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


def repair(folder: Path, *, in_container: bool) -> str:
    """Call the command, on the host or in a container of its name; returns what it said."""
    line = [*CONTAINER, *_REPAIR] if in_container else _REPAIR
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, check=True).stderr  # noqa: S603


def play(folder: Path, instance: dg.DagsterInstance, trials: int) -> tuple[list[str], list[float]]:
    """One round; returns what was done to each run that a trial began, and after how many seconds a death was seen."""
    live = {kind: LiveRuns(prefix, folder) for kind, prefix in KINDS.items()}
    verdicts: list[str] = []
    with ExitStack() as stack:
        for process in live.values():
            stack.callback(process.kill)
        for number in range(-(-trials // len(live))):
            for process in live.values():
                process.begin()
            said = repair(folder, in_container=number % 2 == 1)
            for kind, process in live.items():
                done = touched(instance, process.run_ids[-1])
                if process.ended_children:
                    done += f", {process.ended_children} children are ended"
                verdicts.append(f"{kind}: {done}; {said}" if done else "")
        last = {process.run_ids[-1] for process in live.values()}
    killed, seconds = time.monotonic(), []
    while last and time.monotonic() - killed < 2 * RECOGNISED:
        repair(folder, in_container=False)
        freed = {run_id for run_id in last if "status" in (done := touched(instance, run_id)) and "slot" in done}
        seconds += [time.monotonic() - killed] * len(freed)
        last -= freed
    return verdicts[:trials], seconds + [float("inf")] * len(last)


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
