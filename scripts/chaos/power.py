"""Cut the power at random moments of the job and type the same command again: ``make chaos-power``.

    python -m scripts.chaos.power [--trials 20] [--seed 0] [--folder DIR] [--json FILE]

One run of ``dagster job execute -j full_reproduction`` on a tiny profile is recorded (`devtools.power_cut`): what each
of its processes, Dagster's and MLflow's databases included, has synced. At every drawn moment all of its processes are
stopped together, the state in which the disk may be after a power cut is written down, and the run goes on. Half of
the moments are drawn from the whole duration; the other half from all syncs, renames and links in the project's own
folder, and the process that is about to make one waits there, so that every step of publishing may be the last.

Afterwards each of these states is put in the run's place and the same command is typed, with no manual step. A trial
is good if that ends with status 0, the bytes of crops, shards, weights, histories, predictions, figures and tables are
those of an undisturbed run, everything that is published is whole, and neither Dagster nor MLflow says that something
runs. Ends with status 1 unless all are good. Trials follow each other: they take turns in one place.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from devtools import job_state
from devtools.chaos.line import LOOK, Moment, Seen, count_events, draw_moments, last_told, project, start, undisturbed
from devtools.chaos.trials import Trial, arguments, conclude, differences, play, type_again, work_folder
from devtools.power_cut import PowerCut
from devtools.tiny_project import environment_of

_CUTS = "cuts.json"


@dataclass
class Cut(Trial):
    """A power cut and its result."""

    at: str = ""
    lost: dict[str, int] = field(default_factory=dict)  # numbers of unsynced files by outcome


def record(folder: Path, trials: int, seen: Seen, rng: random.Random, steps: int) -> list[Cut]:
    """Run the line under `PowerCut`, and write down what each cut leaves, in ``state-<number>``.

    Args:
        folder: for the states; the run's own is ``run`` in it.
        trials: how many cuts.
        seen: the undisturbed run's events.
        rng: what is drawn from.
        steps: how many syncs, renames and links such a run makes.
    """
    place, shadow = folder / "run", folder / "shadow"
    for left in (place, shadow, *folder.glob("state-[0-9]*")):
        shutil.rmtree(left, ignore_errors=True)
    environment = project(place)
    power = PowerCut(place, shadow)
    by_step = trials // 2
    moments = draw_moments(seen, trials - by_step, rng)
    numbers = sorted(rng.sample(range(1, steps), by_step))
    process, log = start(place, {**environment, **power.environment()}, "undisturbed", group=0)
    cuts: list[Cut] = []

    def cut() -> None:
        number = len(cuts) + 1
        with power.still(process.pid):
            done = power.crash(folder / f"state-{number}", rng)
            told = last_told(log)
        lost = {kind: count for kind, count in sorted(done.items()) if kind not in ("synced", "whole")}
        cuts.append(Cut(number, at=f"step {power.steps}, {told}", lost=lost))
        print(f" {number:2}  cut at {cuts[-1].at}; not synced: {lost}", flush=True)

    power.stop_at(numbers[0] if numbers else 0)
    since: float | None = None
    try:
        while process.poll() is None:
            if power.stopped:
                cut()
                numbers.pop(0)
                while numbers and numbers[0] <= power.steps:
                    numbers[0] = power.steps + 1  # two that are next to each other
                power.stop_at(numbers[0] if numbers else 0)
                power.go_on()
            since = _reached(moments, log, since)
            if since is not None and time.monotonic() >= since + moments[0][1]:
                cut()
                moments.pop(0)
                since = None
            time.sleep(LOOK / 4)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode != 0:
        raise SystemExit(f"the recorded run failed with {process.returncode}:\n{log.read_text()[-6000:]}")
    while len(cuts) < trials:  # all processes have ended; a run makes a few steps more or fewer than another
        cut()
    (folder / _CUTS).write_text(json.dumps([asdict(one) for one in cuts]))
    return cuts


def _undisturbed(whole: Path, steps: Path) -> Seen:
    """Run the line to its end, recorded but never cut; the number of its syncs, renames and links goes to a file."""
    watched: list[PowerCut] = []
    shadow = whole.with_name("shadow")
    shutil.rmtree(shadow, ignore_errors=True)

    def watch(folder: Path) -> dict[str, str]:
        watched.append(PowerCut(folder, shadow))
        return watched[0].environment()

    seen = undisturbed(whole, watch=watch)
    if watched:
        steps.write_text(str(watched[0].steps))
    return seen


def _reached(moments: list[Moment], log: Path, since: float | None) -> float | None:
    """When the event before the next moment came, if it has come."""
    if since is not None or not moments or count_events(log) < moments[0][0]:
        return since
    return time.monotonic()


def main() -> None:
    """Read the options, run, and end with status 1 unless every trial was good."""
    parser = arguments(__doc__, 20)
    given = parser.parse_args()
    with work_folder(given) as folder:
        whole = folder / "undisturbed"
        seen = _undisturbed(whole, folder / "steps")
        expected = job_state.results(whole)
        print(f"seed {given.seed}; undisturbed: {seen[-1][0]:.0f} s, {len(expected)} files", flush=True)
        rng = random.Random(given.seed)
        if (folder / _CUTS).is_file():
            cuts = [Cut(**cut) for cut in json.loads((folder / _CUTS).read_text())]
        else:
            cuts = record(folder, given.trials, seen, rng, int((folder / "steps").read_text()))
            if found := differences(job_state.results(folder / "run"), expected):
                raise SystemExit(f"the recorded run is not like the undisturbed one: {found}")
        place = folder / "run"

        def once(trial: Cut, own: Path) -> None:
            shutil.rmtree(place)
            shutil.copytree(folder / f"state-{trial.number}", place, symlinks=True)
            environment = environment_of(place)
            type_again(trial, place, environment, expected)
            if trial.complaints:
                shutil.copytree(place, own, dirs_exist_ok=True, symlinks=True)

        trials = play(cuts, once, folder)
        lost: Counter[str] = Counter()
        for trial in trials:
            lost.update(trial.lost)
    print(f"not synced when the power went: {dict(lost)}")
    conclude(given, "identical", trials, lost=dict(lost))


if __name__ == "__main__":
    main()
