"""A run of the command line shows under its job, as one that a page launched."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines import run_origin
from pipelines.dagster_internals import ReconstructableRepository
from tests.conftest import PROJECT


@dg.op
def nothing() -> None:
    """Nothing."""


@dg.job
def some_job() -> None:
    """A job."""
    nothing()


def typed_run(module: str) -> tuple[dg.DagsterInstance, str]:
    """A run of a module's job that no page launched, and the instance that keeps it."""
    instance = dg.DagsterInstance.ephemeral()
    job = ReconstructableRepository.for_module(module, "defs", str(Path.cwd())).get_reconstructable_job("some_job")
    run = instance.create_run_for_job(some_job, tags={"mine": "stays"}, job_code_origin=job.get_python_origin())
    assert run.remote_job_origin is None
    return instance, run.run_id


@pytest.fixture
def typed() -> tuple[dg.DagsterInstance, str]:
    """A run of this project's."""
    return typed_run(run_origin.MODULE)


def test_a_run_is_found_by_what_the_pages_filter_by(typed: tuple[dg.DagsterInstance, str]) -> None:
    instance, run_id = typed
    run_origin.record_origin(instance, run_id)
    asked = dg.RunsFilter(job_name="some_job", tags={".dagster/repository": "__repository__@nrdfer"})
    (found,) = instance.get_runs(asked)
    assert (found.run_id, found.status, found.tags["mine"]) == (run_id, dg.DagsterRunStatus.NOT_STARTED, "stays")
    assert found.tags["dagster/code_location"] == "nrdfer"
    origin = found.remote_job_origin
    assert origin is not None and origin.job_name == "some_job"
    assert origin.repository_origin.get_label() == "__repository__@nrdfer"
    assert origin.repository_origin.code_location_origin.loadable_target_origin.working_directory == str(Path.cwd())


def test_an_origin_that_is_recorded_stays(
    typed: tuple[dg.DagsterInstance, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    instance, run_id = typed
    run_origin.record_origin(instance, run_id)
    monkeypatch.setattr(run_origin, "LOCATION", "another")
    run_origin.record_origin(instance, run_id)
    (found,) = instance.get_runs(dg.RunsFilter(tags={"dagster/code_location": "nrdfer"}))
    assert found.run_id == run_id


def test_a_job_of_another_module_is_not_taken_for_one_of_ours() -> None:
    instance, run_id = typed_run("somebody.else")
    run_origin.record_origin(instance, run_id)
    (found,) = instance.get_runs()
    assert found.remote_job_origin is None and found.tags == {"mine": "stays"}


def test_a_run_that_is_not_stored_is_no_error() -> None:
    run_origin.record_origin(dg.DagsterInstance.ephemeral(), "gone")


@pytest.mark.parametrize("place", ["workspace.yaml", "pipelines/project/workspace.yaml"])
def test_the_location_is_the_one_that_the_pages_load(place: str) -> None:
    (entry,) = yaml.safe_load((PROJECT / place).read_text())["load_from"]
    assert entry["python_module"] == {"module_name": run_origin.MODULE, "location_name": run_origin.LOCATION}
