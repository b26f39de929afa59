"""Steps that a scheduler does not take at once: submitted again, without harm to those that run."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines import cluster_steps, step_submission
from pipelines.dagster_internals import CheckStepHealthResult, StepDelegatingExecutor
from pipelines.step_submission import Submission


class Scheduler:
    """Takes what it is given once `errors` are used up."""

    name = "played"

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.taken, self.ended = list(errors), list[str](), list[str]()

    def launch_step(self, context: Any) -> Iterator[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(step_submission.step_of(context))
        yield "started"

    def check_step_health(self, context: Any) -> CheckStepHealthResult:
        return CheckStepHealthResult.unhealthy("looked at")

    def terminate_step(self, context: Any) -> Iterator[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.ended.append(step_submission.step_of(context))
        yield "asked"

    def patience(self, error: Exception) -> float:
        return step_submission.PATIENCE if isinstance(error, ConnectionError) else 0.0


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    played = SimpleNamespace(engine_event=lambda context, message: told.append(message))
    monkeypatch.setattr(step_submission, "DagsterEvent", played)
    monkeypatch.setattr(step_submission, "_PAUSE", 0.0)
    return told


def context_of(step: str) -> Any:
    args = SimpleNamespace(step_keys_to_execute=[step])
    return SimpleNamespace(execute_step_args=args, get_step_context=lambda key: key)


def test_a_scheduler_that_is_away_is_asked_again_at_the_next_look(events: list[str]) -> None:
    scheduler = Scheduler(ConnectionError("away"), ConnectionError("away"))
    submission = Submission(scheduler)
    list(submission.launch_step(context_of("a")))
    assert submission.check_step_health(context_of("a")).is_healthy
    assert scheduler.taken == []
    assert submission.check_step_health(context_of("a")).is_healthy
    assert scheduler.taken == ["a"]
    assert events == ["a has not been accepted by the scheduler yet and will be submitted again: away"]  # once a minute
    assert submission.check_step_health(context_of("a")).unhealthy_reason == "looked at"


def test_after_a_refusal_other_steps_are_not_submitted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(*(ConnectionError("away") for _ in range(3)))
    submission = Submission(scheduler)
    for step in ("a", "b"):
        list(submission.launch_step(context_of(step)))
    monkeypatch.setattr(step_submission, "_PAUSE", 60.0)  # each attempt may last minutes, and the run waits for it
    assert all(submission.check_step_health(context_of(step)).is_healthy for step in ("a", "b"))
    assert len(scheduler.errors) == 1


def test_a_refusal_that_no_wait_changes_is_raised_with_its_own_words() -> None:
    submission = Submission(Scheduler(ValueError("no such partition")))
    with pytest.raises(ValueError, match="no such partition"):
        list(submission.launch_step(context_of("a")))
    list(submission.terminate_step(context_of("a")))


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    submission = Submission(Scheduler(ConnectionError("away"), ConnectionError("still away")))
    list(submission.launch_step(context_of("a")))
    monkeypatch.setattr(step_submission, "PATIENCE", -1.0)
    result = submission.check_step_health(context_of("a"))
    assert (result.is_healthy, result.unhealthy_reason) == (False, "it could not be submitted: still away")


def test_all_steps_are_asked_to_end_although_one_cannot_be(events: list[str]) -> None:
    scheduler = Scheduler()
    submission = Submission(scheduler)
    for step in ("a", "b"):
        list(submission.launch_step(context_of(step)))
    scheduler.errors = [ConnectionError("away")]
    for step in ("a", "b"):
        list(submission.terminate_step(context_of(step)))
    assert scheduler.ended == ["b"]
    assert events == ["a could not be asked to end: away"]


def test_a_second_end_of_a_step_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a node that was given up and lives: its attempt ends after another was begun, or before."""

    def event(step: str, kind: str) -> Any:
        kinds = ("success", "failure", "up_for_retry")
        return SimpleNamespace(step_key=step, kind=kind, **{f"is_step_{name}": name == kind for name in kinds})

    handler: Any = Scheduler()
    executor = cluster_steps.ClusterExecutor(handler, {"retries": {"enabled": {}}})
    given: list[Any] = []
    monkeypatch.setattr(StepDelegatingExecutor, "_pop_events", lambda *_: given)

    def kinds() -> list[str]:
        instance: Any = None
        return [found.kind for found in executor._pop_events(instance, "run", set())]

    list(executor._submission.launch_step(context_of("a")))
    given[:] = [event("a", "up_for_retry"), event("a", "success"), event("a", "other")]
    assert kinds() == ["up_for_retry", "other"]
    list(executor._submission.launch_step(context_of("a")))
    given[:] = [event("a", "success"), event("a", "success")]
    assert kinds() == ["success"]
