"""The job's command in a project folder: start it, follow its log, and draw moments of an undisturbed run.

A moment is identified by the log before it, so it is the same one on a machine that is slower now. Keep out:
trials and how they are judged (`devtools.chaos.trials`).
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from devtools.tiny_project import LINE, make_project, use_data_of

LOOK = 0.02  # seconds between two looks at a log
SUMMARY = "what stopped this run"
_SEEN = "seen.json"
#: Of the log, the lines of which every run has as many; others tell of waiting and of progress.
_EVENT = re.compile(rb" - (?:RUN|STEP)_(?:START|SUCCESS|OUTPUT|INPUT) - |ed (?:output|input) ")
Seen = list[tuple[float, int]]  # seconds since the start, and how far the run was then
Moment = tuple[int, float]  # how far a run is, and seconds after that


def start(
    folder: Path, environment: dict[str, str], name: str, log_in: Path | None = None, group: int | None = None
) -> tuple[subprocess.Popen[bytes], Path]:
    """Run the command in a folder; returns the process and its log, which is there or in another folder.

    With 0 as `group`, it and its children are a process group of their own.
    """
    log = (log_in or folder) / f"{name}.log"
    with log.open("wb") as file:
        return subprocess.Popen(LINE, cwd=folder, env=environment, stdout=file, stderr=file, process_group=group), log  # noqa: S603


def count_events(log: Path) -> int:
    """Events in a log that is being written."""
    return len(_EVENT.findall(log.read_bytes()))


def last_told(log: Path) -> str:
    """The last message in a run's log."""
    told = [line for line in log.read_text(errors="replace").splitlines() if line.count(" - ") > 5]
    return " ".join(told[-1].split(" - ")[5:])[:60] if told else "nothing yet"


def project(folder: Path, source: Path | None = None) -> dict[str, str]:
    """A new folder with a tiny profile, and with the data of another or none; returns the environment."""
    environment = make_project(folder, epochs=1)
    if source is not None:
        use_data_of(source, folder)
    return environment


def undisturbed(
    folder: Path, source: Path | None = None, watch: Callable[[Path], dict[str, str]] = lambda _: {}
) -> Seen:
    """Run the line to its end in a new `project`; returns when its log had how many events.

    Args:
        folder: what an earlier call left there is taken as it is.
        source: as `project` has it.
        watch: called with the new folder; returns more of the environment.
    """
    if (folder / _SEEN).is_file():
        return [(float(at), int(events)) for at, events in json.loads((folder / _SEEN).read_text())]
    environment = {**project(folder, source), **watch(folder)}
    began = time.monotonic()
    process, log = start(folder, environment, "undisturbed")
    seen = [(0.0, 0)]
    while process.poll() is None:
        time.sleep(LOOK)
        events = count_events(log)
        if events > seen[-1][1]:
            seen.append((time.monotonic() - began, events))
    if process.returncode != 0:
        raise SystemExit(f"the undisturbed run failed with {process.returncode}:\n{log.read_text()[-6000:]}")
    seen.append((time.monotonic() - began, seen[-1][1]))
    (folder / _SEEN).write_text(json.dumps(seen))
    return seen


def draw_moments(seen: Seen, times: int, rng: random.Random) -> list[Moment]:
    """One random moment in each of as many equal stretches of a run, identified by its progress before it.

    So no part of the run is left out, and a moment is the same one on a machine that is slower now.
    """
    moments = []
    for stretch in range(times):
        moment = seen[-1][0] * (stretch + rng.random()) / times
        at, mark = max(row for row in seen if row[0] <= moment)
        moments.append((mark, moment - at))
    return moments


def wait_for(moment: Moment, process: subprocess.Popen[bytes], log: Path) -> bool:
    """Wait for a moment of a run; false if the run ended before."""
    while count_events(log) < moment[0] and process.poll() is None:
        time.sleep(LOOK)
    deadline = time.monotonic() + moment[1]
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(min(LOOK, moment[1]))
    return process.poll() is None
