"""NRDFER_EXECUTOR chooses who runs the steps, and whatever it is, repair and MLflow's run surround it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from nrdfer.core.errors import NrdferError
from pipelines import engines
from pipelines.cluster_steps import LOST, MOST_LOSSES, ClusterExecutor, config_schema, step_environment
from pipelines.executor import RepairingExecutor


@pytest.mark.parametrize(("given", "name"), [("", "multiprocess"), ("local", "multiprocess"), ("slurm", "slurm")])
def test_the_variable_chooses(given: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engines.VARIABLE, given)
    assert engines.chosen_executor().name == name


def test_ray_is_chosen_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dagster_ray")
    monkeypatch.setenv(engines.VARIABLE, "ray")
    assert engines.chosen_executor().name == "ray"


def test_another_value_is_refused_with_those_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engines.VARIABLE, "celery")
    with pytest.raises(NrdferError, match="NRDFER_EXECUTOR='celery' is not valid: give one of local, ray, slurm, k8s"):
        engines.chosen_executor()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "dagster_k8s", None)
    monkeypatch.setenv(engines.VARIABLE, "k8s")
    with pytest.raises(NrdferError, match="pip install 'dagster-k8s'"):
        engines.chosen_executor()


def test_a_cluster_takes_the_settings_that_do_not_belong_to_processes() -> None:
    assert sorted(config_schema()) == ["max_concurrent", "retries", "tag_concurrency_limits"]


class _Scheduler:
    """A step handler that runs a step in this process, unless it is to be lost."""

    name = "of this test"

    def __init__(self, reasons: list[str]) -> None:
        self.reasons, self.launched, self.finished = reasons, 0, False
        self._lost = False

    def launch_step(self, context: Any) -> Iterator[dg.DagsterEvent]:
        from dagster._cli.api import _execute_step_command_body

        self.launched += 1
        self._lost = self.launched <= len(self.reasons)
        if not self._lost:
            list(_execute_step_command_body(context.execute_step_args, context.instance, context.dagster_run))
        yield from ()

    def check_step_health(self, context: Any) -> Any:
        from pipelines.dagster_internals import CheckStepHealthResult

        if self._lost:
            self._lost = False
            return CheckStepHealthResult.unhealthy(self.reasons[self.launched - 1])
        return CheckStepHealthResult.healthy()

    def terminate_step(self, context: Any) -> Iterator[dg.DagsterEvent]:
        yield from ()

    def finish(self) -> None:
        self.finished = True


_scheduler = _Scheduler([])
_called: list[str] = []


@dg.executor(
    name="of_this_test", config_schema=config_schema(), requirements=dg.multiple_process_executor_requirements()
)
def _executor(context: dg.InitExecutorContext) -> RepairingExecutor:
    def prepare(context: object, plan: object) -> None:
        _called.append("prepare")

    def clean_up(instance: dg.DagsterInstance, log: logging.Logger) -> None:
        _called.append("clean up")

    return RepairingExecutor(ClusterExecutor(_scheduler, context.executor_config), prepare=prepare, clean_up=clean_up)


@dg.op
def work() -> int:
    return 1


@dg.job(executor_def=_executor)
def one_step() -> None:
    work()


def _run(reasons: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any, **retries: Any) -> Any:
    _scheduler.__init__(reasons)  # type: ignore[misc]
    _called.clear()
    monkeypatch.setattr("pipelines.cluster_steps.LOOK", 0)
    monkeypatch.setattr("pipelines.mlflow_run.begin", lambda context: _called.append("begin"))
    monkeypatch.setattr("pipelines.repair.repair_dead_runs", lambda instance, log: _called.append("repair"))
    monkeypatch.setattr(
        "pipelines.repair.close_tracking", lambda run_id, status, log: _called.append(f"close {status}")
    )
    with dg.instance_for_test() as instance:
        config = {"execution": {"config": {"retries": retries}}} if retries else {}
        return dg.execute_job(dg.reconstructable(one_step), instance, run_config=config, raise_on_error=False)


def test_a_lost_step_is_started_again_without_a_retry_policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    result = _run([f"{LOST}its node node1 failed"] * 2, monkeypatch, tmp_path)
    assert result.success and _scheduler.launched == 3 and _scheduler.finished
    assert _called == ["prepare", "repair", "clean up", "begin", "close FINISHED"]


def test_a_step_that_is_lost_again_and_again_fails_in_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    result = _run([f"{LOST}its node node1 failed"] * 9, monkeypatch, tmp_path)
    assert not result.success and _scheduler.launched == 1 + MOST_LOSSES
    assert _called[-1] == "close FAILED"
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "its node node1 failed" in failed.step_failure_data.error.message


@pytest.mark.parametrize("reason", ["it reached its time limit", "its process ended with status 1"])
def test_any_other_end_keeps_to_the_retry_policy(reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert not _run([reason], monkeypatch, tmp_path).success
    assert _scheduler.launched == 1


def test_no_step_is_started_again_where_retries_are_disabled(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert not _run([f"{LOST}its node node1 failed"], monkeypatch, tmp_path, disabled={}).success
    assert _scheduler.launched == 1


def test_a_step_elsewhere_gets_whole_paths_and_nothing_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NRDFER_HOME", "here")
    monkeypatch.setenv("DAGSTER_HOME", "there")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("NRDFER_RUN", "run 1:2 home")
    handed = step_environment()
    assert (handed["NRDFER_HOME"], handed["DAGSTER_HOME"]) == (str(tmp_path / "here"), str(tmp_path / "there"))
    assert not {"CUDA_VISIBLE_DEVICES", "NRDFER_RUN"} & set(handed)


def test_a_scheduler_that_is_away_at_the_end_does_not_undo_the_results(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    def away() -> None:
        raise NrdferError("the controller is away")

    monkeypatch.setattr(_scheduler, "finish", away)
    assert _run([], monkeypatch, tmp_path).success
