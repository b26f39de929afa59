"""The plan of kills on clusters, and how a lost step is seen in a run's log."""

from __future__ import annotations

from collections import Counter

from devtools.chaos import cluster_kills


def test_every_engine_has_every_victim_with_and_without_data() -> None:
    plan = cluster_kills.plan(["slurm", "ray"], 10)
    assert Counter(trial.engine for trial in plan) == {"slurm": 10, "ray": 10}
    for engine in ("slurm", "ray"):
        kinds = {(trial.victim, trial.begins_with) for trial in plan if trial.engine == engine}
        assert kinds == {(victim, data) for victim in ("node", "step", "orchestrator") for data in ("data", "nothing")}
    assert [trial.number for trial in plan] == list(range(1, 21))


def test_steps_that_were_started_are_counted_for_both_engines() -> None:
    log = (
        b"x - report - STEP_WORKER_STARTING - report is Slurm's job 31\n"
        b'x - report - STEP_WORKER_STARTING - Executing step "report" in Ray job dagster-step-1.\n'
        b"x - report - STEP_UP_FOR_RETRY - Execution of step failed\n"
    )
    assert len(cluster_kills._STARTED.findall(log)) == 2
    assert log.count(cluster_kills._AGAIN) == 1
