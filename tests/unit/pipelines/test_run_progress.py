"""One line where a step starts or ends, and a failed one with its reason."""

from __future__ import annotations

import re

import dagster as dg

from pipelines import run_progress


def events() -> list[dg.DagsterEvent]:
    @dg.asset
    def good() -> None:
        pass

    @dg.asset(deps=[good])
    def bad() -> None:
        raise ValueError("no")

    @dg.asset(deps=[bad])
    def never() -> None:
        pass

    instance = dg.DagsterInstance.ephemeral()
    return dg.materialize([good, bad, never], instance=instance, raise_on_error=False).all_events


def test_lines_of_a_run() -> None:
    said: list[str] = []
    lines = run_progress.StepLines(said.append)
    end = run_progress.subscribe(lines)
    made = events()
    for event in made:
        run_progress.publish(event, "the disk\nis \x1b[31mfull" if event.is_step_failure else "")
    end()
    run_progress.publish(made[-1], "")
    assert [re.sub(r"^\d\d:\d\d:\d\d  |\d+\.\d", "", line) for line in said] == [
        "start    good",
        "end      good   s",
        "start    bad",
        "FAILED   bad   s: the disk is " + repr("\x1b[31mfull")[1:-1],
    ]
    assert (lines.done, list(lines.failed)) == (1, ["bad"])
