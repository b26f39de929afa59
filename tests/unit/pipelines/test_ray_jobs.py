"""Steps as jobs of Ray: what is submitted and handed on, how an end is told, which jobs are ended; Ray is played."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from pipelines.cluster_steps import LOST, project_mark
from pipelines.step_needs import Needs

pytest.importorskip("dagster_ray")
pytest.importorskip("ray.job_submission")

from ray.job_submission import JobStatus, JobSubmissionClient

from pipelines import ray_jobs


class Played:
    """Ray's server: jobs by name, and what was submitted."""

    def __init__(self) -> None:
        self.submitted: list[dict[str, Any]] = []
        self.jobs: dict[str, SimpleNamespace] = {}
        self.stopped: list[str] = []


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()

    def status(client: Any, job: str) -> JobStatus:
        if job not in played.jobs:
            raise RuntimeError(f"Request failed with status code 404: Job {job} does not exist.")
        found: JobStatus = played.jobs[job].status
        return found

    def stop(client: Any, job: str) -> bool:
        played.stopped.append(job)
        played.jobs[job].status = JobStatus.STOPPED
        return True

    monkeypatch.setattr(JobSubmissionClient, "__init__", lambda self, address: None)
    monkeypatch.setattr(JobSubmissionClient, "submit_job", lambda self, **given: played.submitted.append(given))
    monkeypatch.setattr(JobSubmissionClient, "get_job_status", status)
    monkeypatch.setattr(JobSubmissionClient, "get_job_info", lambda self, job: played.jobs[job])
    monkeypatch.setattr(JobSubmissionClient, "list_jobs", lambda self: list(played.jobs.values()))
    monkeypatch.setattr(JobSubmissionClient, "stop_job", stop)
    return played


def job(name: str, status: JobStatus, kind: str | None = None, message: str = "", **metadata: str) -> SimpleNamespace:
    facts = {key.replace("__", "/").replace("_id", "-id"): value for key, value in metadata.items()}
    return SimpleNamespace(submission_id=name, status=status, error_type=kind, message=message, metadata=facts)


@pytest.mark.parametrize(
    ("needs", "gpus", "asked"),
    [
        (Needs(3), "2", (3, 0)),
        (Needs(1, gpu=True), "2", (1, 2)),
        (Needs(1, gpu=True), "", (1, 0)),
    ],
)
def test_a_step_has_what_it_needs_and_starts_in_the_projects_folder(
    needs: Needs, gpus: str, asked: tuple[int, int], played: Played, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "two words"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv(ray_jobs.GPUS, gpus)
    client = ray_jobs._Client(None)
    client.needs = needs
    client.submit_job(entrypoint="dagster api execute_step", entrypoint_num_cpus=None, entrypoint_num_gpus=None)
    (given,) = played.submitted
    assert given["entrypoint"] == f"cd '{folder}' && exec dagster api execute_step"
    assert (given["entrypoint_num_cpus"], given["entrypoint_num_gpus"]) == asked
    assert given["metadata"] == {"nrdfer/project": project_mark()}


def test_words_of_the_line_are_quoted(played: Played) -> None:
    client = ray_jobs._Client(None)
    client.line = ["/home/me/My Project/.venv/bin/python", "-m", "dagster"]
    client.submit_job(entrypoint="joined without quotes", entrypoint_num_cpus=1, entrypoint_num_gpus=None)
    assert played.submitted[0]["entrypoint"].endswith("exec '/home/me/My Project/.venv/bin/python' -m dagster")


def test_a_steps_tag_comes_before_its_profile(played: Played) -> None:
    client = ray_jobs._Client(None)
    client.needs = Needs(1, gpu=True)
    client.submit_job(entrypoint="x", entrypoint_num_cpus=8.0, entrypoint_num_gpus=0.5)
    assert (played.submitted[0]["entrypoint_num_cpus"], played.submitted[0]["entrypoint_num_gpus"]) == (8.0, 0.5)


def test_secrets_are_not_handed_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    given = {
        "NRDFER_HOME": "/data/home",
        "MLFLOW_TRACKING_URI": "http://someone:word-of-pass@127.0.0.1:5000",
        "AWS_SECRET_ACCESS_KEY": "key-of-access",
        "PGPASSWORD": "word-of-postgres",
        "PGHOST": "127.0.0.1",
        "LS_COLORS": "no business of a step",
    }
    handed, secret = ray_jobs.divided(given)
    assert secret == ["AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_URI", "PGPASSWORD"]
    assert {"NRDFER_HOME", "PGHOST", "RAY_JOB_STOP_WAIT_TIME_S"} == set(handed)
    monkeypatch.setenv("PGPASSWORD", "word-of-postgres")
    ray_jobs.tell_what_is_not_handed_on(logging.getLogger("test"))
    assert "PGPASSWORD" in caplog.text and "word-of-postgres" not in caplog.text


@pytest.mark.parametrize(
    ("status", "kind", "message", "lost", "words"),
    [
        (JobStatus.FAILED, "JOB_SUPERVISOR_ACTOR_DIED", "The node was dead", True, "most often with its node"),
        (
            JobStatus.FAILED,
            "JOB_ENTRYPOINT_COMMAND_ERROR",
            "failed with exit code -9, logs",
            True,
            "signal 9 (SIGKILL)",
        ),
        (JobStatus.FAILED, "JOB_ENTRYPOINT_COMMAND_ERROR", "failed with exit code 1, logs", False, "without a result"),
        (JobStatus.FAILED, "RUNTIME_ENV_SETUP_FAILURE", "no such module", False, "no such module"),
        (JobStatus.FAILED, "JOB_SUPERVISOR_ACTOR_START_TIMEOUT", "", True, "RAY_JOB_START_TIMEOUT_SECONDS"),
        (JobStatus.SUCCEEDED, None, "Job finished successfully.", False, "without a result"),
        (JobStatus.STOPPED, None, "", False, "stopped in Ray"),
    ],
)
def test_an_end_without_a_result_is_told_in_words(
    status: JobStatus, kind: str | None, message: str, lost: bool, words: str, played: Played,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    steps = ray_jobs.RaySteps()
    monkeypatch.setattr(steps, "_get_ray_job_submission_id", lambda context: "step-1")
    played.jobs["step-1"] = job("step-1", status, kind, message)
    context: Any = None
    assert steps.check_step_health(context).is_healthy  # its last events may still be on their way
    health = steps.check_step_health(context)
    assert not health.is_healthy and health.unhealthy_reason is not None
    assert health.unhealthy_reason.startswith(LOST) == lost and words in health.unhealthy_reason


def test_a_job_that_ray_has_forgotten_is_lost_and_a_head_that_is_away_is_no_end(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = ray_jobs.RaySteps()
    context: Any = None
    monkeypatch.setattr(steps, "_get_ray_job_submission_id", lambda context: "step-1")
    assert str(steps.check_step_health(context).unhealthy_reason).startswith(LOST)

    def away(client: Any, job: str) -> JobStatus:
        raise RuntimeError("Request failed with status code 500: connection refused")

    monkeypatch.setattr(JobSubmissionClient, "get_job_status", away)
    with pytest.raises(RuntimeError, match="connection refused"):
        steps.check_step_health(context)


def test_only_jobs_of_this_projects_ended_runs_are_ended(played: Played) -> None:
    with dg.instance_for_test() as instance:
        alive = instance.create_run_for_job(dg.GraphDefinition("nothing").to_job()).run_id
        mine = {"nrdfer__project": project_mark()}
        for made in (
            job("of a living run", JobStatus.RUNNING, dagster__run_id=alive, **mine),
            job("of one that is gone", JobStatus.RUNNING, dagster__run_id="gone", **mine),
            job("ended", JobStatus.SUCCEEDED, dagster__run_id="gone", **mine),
            job("another project's", JobStatus.RUNNING, dagster__run_id="gone", nrdfer__project="0"),
            job("someone's own", JobStatus.RUNNING),
        ):
            played.jobs[made.submission_id] = made
        ray_jobs.end_jobs_of_ended_runs(instance, logging.getLogger("test"))
    assert played.stopped == ["of one that is gone"]


def test_jobs_that_do_not_end_are_stopped(played: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_jobs, "_GRACE", 0)
    played.jobs |= {"hangs": job("hangs", JobStatus.RUNNING), "done": job("done", JobStatus.SUCCEEDED)}
    ray_jobs.end_jobs(ray_jobs._Client(None), {"hangs", "done"})
    assert played.stopped == ["hangs"]
