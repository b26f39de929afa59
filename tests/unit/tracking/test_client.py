"""MLflow runs tell the truth about their state, are found again, and are made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nrdfer.config.settings import flatten
from nrdfer.core.errors import TrackingError
from nrdfer.tracking.client import Tracking
from nrdfer.tracking.timeouts import brief_requests


def status(tracking: Tracking, run_id: str) -> str:
    return str(tracking.client.get_run(run_id).info.status)


def test_a_restart_finds_its_run_and_logs_no_epoch_twice(tracking: Tracking) -> None:
    history = [{"epoch": epoch, "train_loss": 1 / epoch, "test_war": 0.1 * epoch} for epoch in (1, 2, 3)]
    run = tracking.training_run("d1", "fd1", None, {"a": "1"}, {"recipe": {"lr": 0.1}})
    tracking.sync_history(run, history[:2])
    again = Tracking()
    assert again.training_run("d1", "fd1", None, {"a": "2"}, {}) == run
    assert again.training_run("d2", "fd2", None, {}, {}) != run
    again.sync_history(run, history)
    again.sync_history(run, history)
    assert [m.step for m in again.client.get_metric_history(run, "test_war")] == [1, 2, 3]
    data = again.client.get_run(run).data
    assert (data.tags["a"], data.params["recipe.lr"]) == ("2", "0.1")


def test_runs_of_a_dead_pipeline_are_closed(tracking: Tracking) -> None:
    parent = tracking.pipeline_run("dagster-1", {"name": "sample"})
    assert tracking.pipeline_run("dagster-1", {}) == parent
    tags = {"dagster.run_id": "dagster-1", "dagster.asset_key": "dfew/fd1/checkpoint"}
    child = tracking.training_run("d1", "fd1", parent, tags, {})
    note = tracking.client.get_run(child).data.tags["mlflow.note.content"]
    assert "[dagster-](http://127.0.0.1:3000/runs/dagster-1), asset `dfew/fd1/checkpoint`" in note
    other = tracking.pipeline_run("dagster-2", {})
    assert tracking.close_runs_of("dagster-1", "FAILED") == 2
    assert [status(tracking, run) for run in (parent, child, other)] == ["FAILED", "FAILED", "RUNNING"]


def test_parameters_that_were_not_told_are_told_by_a_restart(tracking: Tracking) -> None:
    parent = tracking.pipeline_run("dagster-1", {"a": 1})
    run = tracking.training_run("d1", "fd1", None, {}, {"a": 1}, started=12.5)
    tracking.training_run("d1", "fd1", None, {}, {"a": 1, "b": {"c": 2}})
    tracking.pipeline_run("dagster-1", {"a": 1, "b": 2})
    found = tracking.client.get_run(run)
    assert (found.data.params, found.info.start_time) == ({"a": "1", "b.c": "2"}, 12_500)
    assert tracking.client.get_run(parent).data.params == {"a": "1", "b": "2"}


def test_a_finished_training_has_a_run_whatever_mlflow_remembers(tracking: Tracking) -> None:
    history = [{"epoch": 1, "train_loss": 0.5}]
    run = tracking.training_run("d1", "fd1", None, {}, {})
    assert tracking.surviving_run(run, "d1", "fd1", history) == run
    assert status(tracking, run) == "RUNNING"  # it is there: nothing is done to it
    assert tracking.surviving_run("", "d1", "fd1", history) == run  # found by its digest, and completed
    assert status(tracking, run) == "FINISHED"
    restored = tracking.surviving_run("f" * 32, "d2", "fd2", history, {"dagster.run_id": "dagster-1"})
    assert restored != run
    data = tracking.client.get_run(restored).data
    assert (data.metrics, data.tags["dagster.run_id"]) == ({"train_loss": 0.5}, "dagster-1")


def test_a_server_that_is_away_is_named_where_nothing_goes_on_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path))
    with pytest.raises(TrackingError, match=r"^no figure: MLflow at http://127\.0\.0\.1:1 does not answer"):
        Tracking("http://127.0.0.1:1").require("no figure")


def test_brief_requests_leave_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    monkeypatch.setenv(names[0], "77")
    monkeypatch.delenv(names[1], raising=False)
    with brief_requests():
        with brief_requests():
            pass
        assert [os.environ.get(name) for name in names] == ["77", "0"]
    assert [os.environ.get(name) for name in names] == ["77", None]


def test_nested_settings_become_dotted_names() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": (2, 3)}}, "e": None}) == {"a.b": 1, "a.c.d": (2, 3), "e": None}


def test_the_page_opens_on_the_views_of_trainings(tracking: Tracking) -> None:
    def kind() -> str | None:
        tags = tracking.client.get_experiment(tracking.experiment_id).tags
        return tags.get("mlflow.experimentKind")

    assert kind() == "custom_model_development"
    tracking.client.set_experiment_tag(tracking.experiment_id, "mlflow.experimentKind", "the user's choice")
    assert Tracking().experiment_id == tracking.experiment_id and kind() == "the user's choice"
    tracking.client.delete_experiment_tag(tracking.experiment_id, "mlflow.experimentKind")  # of an earlier release
    assert Tracking().experiment_id == tracking.experiment_id and kind() == "custom_model_development"


def test_a_pipelines_run_is_named_by_job_profile_and_run(tracking: Tracking) -> None:
    run = tracking.pipeline_run("0123456789", {"name": "sample"}, {"dagster.job_name": "full_reproduction"})
    assert tracking.client.get_run(run).info.run_name == "full_reproduction sample 01234567"
    assert tracking.client.get_run(tracking.pipeline_run("9876543210", {})).info.run_name == "pipeline 98765432"
