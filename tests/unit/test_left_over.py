"""What was kept for later is told to the MLflow it was meant for, and one that is refused keeps back no other."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nrdfer import left_over, paths
from nrdfer.courier import RunFacts
from nrdfer.tracking import Tracking, mark_pipeline
from nrdfer.training.log import TrainingLog


@pytest.fixture
def log(tmp_path: Path) -> Path:
    with TrainingLog(tmp_path / "train.jsonl") as made:
        made.write("epoch", step=5, epoch=1, test_war=0.5)
    return tmp_path / "train.jsonl"


def test_nothing_left_asks_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    tracking = Tracking("http://127.0.0.1:1")
    assert left_over.deliver_left_over(tracking) == 0
    mark_pipeline("one that runs")
    assert left_over.deliver_left_over(tracking) == 0


def test_a_training_is_told_once_with_its_own_times(tracking: Tracking, log: Path) -> None:
    facts = RunFacts("d1", "fd1 training", params={"recipe": {"sizes": (1, 2)}})
    left_over.leave(facts, tracking.uri, log, "FAILED", 1000.0, 1060.5)
    assert (left_over.deliver_left_over(tracking), left_over.deliver_left_over(tracking)) == (1, 0)
    (run,) = tracking.find(nrdfer__digest="d1")
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FAILED", 1_000_000, 1_060_500)
    assert run.data.metrics == {"test_war": 0.5}
    assert run.data.params == {"recipe.sizes": "(1, 2)"}


def test_another_address_is_named_and_not_told(tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    marker = left_over.leave(RunFacts("d1", "fd1 training"), "http://elsewhere:5000", log, "FINISHED", 1.0, 2.0)
    assert left_over.deliver_left_over(tracking) == 0
    assert marker.exists() and tracking.find(nrdfer__digest="d1") == []
    assert "fd1 training waits for the MLflow at http://elsewhere:5000" in caplog.text


def test_one_that_fails_keeps_back_no_other(tracking: Tracking, log: Path, caplog: pytest.LogCaptureFixture) -> None:
    damaged = log.with_name("damaged.jsonl")
    damaged.write_text("nothing\n")
    bad = left_over.leave(RunFacts("a", "fd1 training"), tracking.uri, damaged, "FINISHED", 1.0, 2.0)
    good = left_over.leave(RunFacts("b", "fd2 training"), tracking.uri, log, "FINISHED", 1.0, 2.0)
    assert left_over.deliver_left_over(tracking) == 1
    assert bad.exists() and not good.exists()
    assert "fd1 training could not be told to MLflow yet (TrainingError" in caplog.text


def test_a_training_that_runs_again_is_taken_back(tracking: Tracking, log: Path) -> None:
    left_over.leave(RunFacts("d1", "fd1 training"), tracking.uri, log, "FAILED", 1.0, 2.0)
    left_over.take_back("d1")
    assert list(left_over.folder().iterdir()) == []
    assert left_over.deliver_left_over(tracking) == 0


def test_a_pipeline_that_ended_without_a_server_is_closed_later(
    tracking: Tracking, caplog: pytest.LogCaptureFixture
) -> None:
    parent = tracking.pipeline_run("dagster-1", {})
    away = Tracking("http://127.0.0.1:1")
    left_over.close_pipeline(away, "dagster-1", "FAILED")
    assert "MLflow runs of run dagster-1 could not be closed yet" in caplog.text
    left_over.close_pipeline(tracking, "dagster-2", "FINISHED")
    assert tracking.client.get_run(parent).info.status == "RUNNING"  # it was meant for the other address
    left_over.close_pipeline(tracking, "dagster-1", "FAILED")
    assert tracking.client.get_run(parent).info.status == "FAILED"
    assert list((paths.home() / "pipeline-runs").iterdir()) == []
