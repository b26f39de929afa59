"""What a typed run prints by itself: a line a step, how it ended, and the figures if there are new ones."""

from __future__ import annotations

import dagster as dg
import pytest

from nrdfer.core.errors import NrdferError
from nrdfer.reporting import results
from pipelines import closing, run_progress


@dg.asset
def report() -> None:
    """The last step."""


@dg.asset
def broken() -> None:
    """A step that fails."""
    raise ValueError("no")


def play(asset: dg.AssetsDefinition, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Run one step as the executor does; returns what is printed."""
    events = dg.materialize([asset], instance=dg.DagsterInstance.ephemeral(), raise_on_error=False).all_events
    capfd.readouterr()  # Dagster's own lines
    with closing.printing("0123456789", lambda: "tiny"):
        for event in events:
            run_progress.publish(event, "no" if event.is_step_failure else "")
    return capfd.readouterr().err.splitlines()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """The profiles whose results were asked for; there are none."""
    found: list[str | None] = []

    def last_results(name: str | None) -> None:
        found.append(name)
        raise NrdferError("no results yet")

    monkeypatch.setattr(results, "last_results", last_results)
    return found


def test_steps_and_the_end_are_printed_and_the_figures_asked_for(
    asked: list[str | None], capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, third = play(report, capfd)
    assert "  done     report  " in first
    assert second.startswith("run 01234567: 1 steps done, ")
    assert third == "the figures cannot be printed: no results yet"
    assert asked == ["tiny"]
    assert not run_progress.is_followed()


def test_after_a_failure_no_figures_are_printed(asked: list[str | None], capfd: pytest.CaptureFixture[str]) -> None:
    first, second = play(broken, capfd)
    assert "FAILED" in first and first.endswith(": no")
    assert second.startswith("run 01234567: 0 steps done, 1 failed, ")
    assert asked == []


def test_a_run_that_is_followed_is_not_told_twice(asked: list[str | None], capfd: pytest.CaptureFixture[str]) -> None:
    end = run_progress.subscribe(lambda event, reason: None)
    try:
        assert play(report, capfd) == [] and asked == []
    finally:
        end()
