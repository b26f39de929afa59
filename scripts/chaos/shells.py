"""Type the same command in several shells at once: ``make chaos-shells``.

    python -m scripts.chaos.shells [--trials 10] [--shells 2 4] [--seed 0] [--folder DIR] [--json FILE]

A round is a new folder with a tiny profile in which two, or four, shells type ``dagster job execute -j
full_reproduction`` within a moment; every fifth round begins from nothing, the others with data that is ready. It is
good if every shell ends with status 0, there is one set of artefacts with the bytes of an undisturbed run, each
was made by one shell only, MLflow has as many trainings, logged models and versions as after an undisturbed run and one
pipeline's run a shell, and nothing is left: no process, pool slot or RUNNING run. ``--trials`` is the number of rounds
of each number of shells. Ends with status 1 unless all are good.
"""

from __future__ import annotations

import random
import re
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from devtools import job_state
from devtools.chaos.line import project, start, undisturbed
from devtools.chaos.trials import Trial, arguments, complaints_of, conclude, play, work_folder

_PATIENCE = 1800.0
_FROM_NOTHING = 5  # every such round begins so
_AT_ONCE = 0.5  # seconds within which all shells begin
_LISTINGS = ("afew/videos", "dfew/clips")  # their digests depend on the place of the corpus and its files' times
_MADE = re.compile(r" - (\S+) computed and published: ([0-9a-f]{12})")


@dataclass
class Round(Trial):
    """Result of one command in several shells."""

    shells: int
    begins_with: str  # nothing, or data that is ready
    ended_with: list[int] = field(default_factory=list)
    seconds: float = 0.0


def together(trial: Round, folder: Path, environment: dict[str, str], rng: random.Random) -> list[Path]:
    """Type the line in all shells, and wait for them; returns their logs."""
    began = time.monotonic()
    begun = []
    for shell in range(1, trial.shells + 1):
        begun.append(start(folder, environment, f"shell-{shell}"))
        time.sleep(rng.uniform(0.0, _AT_ONCE / trial.shells))
    for process, log in begun:
        try:
            trial.ended_with.append(process.wait(max(1.0, began + _PATIENCE - time.monotonic())))
        except subprocess.TimeoutExpired:
            process.kill()
            trial.ended_with.append(process.wait())
            trial.complaints.append(f"{log.name}: had not ended after {_PATIENCE:.0f} s")
        if trial.ended_with[-1] != 0:
            trial.complaints.append(f"{log.name}: {log.read_text(errors='replace')[-2500:]}")
    trial.seconds = round(time.monotonic() - began, 1)
    return [log for _, log in begun]


def judge(trial: Round, folder: Path, logs: list[Path], whole: Path) -> None:
    """Complain of whatever is there twice, or missing, or left."""
    made = Counter(found for log in logs for found in _MADE.findall(log.read_text(errors="replace")))
    if twice := [f"{asset} {digest}" for (asset, digest), times in made.items() if times > 1]:
        trial.complaints.append(f"made more than once: {twice}")
    for name, count in job_state.registry(folder).items():
        if (meant := job_state.registry(whole)[name]) != count:
            trial.complaints.append(f"{count} {name}, not {meant}")
    if len(job_state.dagster_runs(folder)) != trial.shells:
        trial.complaints.append(f"{len(job_state.dagster_runs(folder))} runs in Dagster")
    sets = [_artefacts(folder, besides=whole), _artefacts(whole)]
    if sets[0] != sets[1]:
        trial.complaints.append(f"other artefacts than after one run: {[*(sets[0] - sets[1]), *(sets[1] - sets[0])]}")
    trial.complaints += complaints_of(folder, job_state.results(whole))


def _artefacts(folder: Path, besides: Path | None = None) -> Counter[str]:
    """How often each artefact is there, by its digest; listings by their asset, without those that were copied."""
    copied = set() if besides is None else {path.relative_to(besides) for path in job_state.artefacts(besides)}
    found: Counter[str] = Counter()
    for path in job_state.artefacts(folder):
        asset = path.parent.relative_to(folder / ".nrdfer/store").as_posix()
        if asset not in _LISTINGS:
            found[f"{asset}/{path.name}"] += 1
        elif path.relative_to(folder) not in copied:
            found[asset] += 1
    return found


def main() -> None:
    """Read the options, run, and end with status 1 unless every round was good."""
    parser = arguments(__doc__, 10)
    parser.add_argument("--shells", type=int, nargs="+", default=[2, 4], help="how many (2 4)")
    given = parser.parse_args()
    with work_folder(given) as folder:
        whole = folder / "undisturbed"
        seen = undisturbed(whole)
        print(f"undisturbed: {seen[-1][0]:.0f} s, {job_state.registry(whole)}", flush=True)

        def once(trial: Round, own: Path) -> None:
            rng = random.Random(f"{given.seed} {trial.number}")
            environment = project(own, whole if trial.begins_with == "data" else None)
            judge(trial, own, together(trial, own, environment, rng), whole)

        planned = [(shells, number) for shells in given.shells for number in range(given.trials)]
        plan = [
            Round(at, shells, "data" if number % _FROM_NOTHING else "nothing")
            for at, (shells, number) in enumerate(planned, start=1)
        ]
        trials = play(plan, once, folder, given.at_once)
    conclude(given, "one set of artefacts", trials)


if __name__ == "__main__":
    main()
