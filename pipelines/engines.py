"""Choice of the executor that runs the steps: processes of this machine, or the machines of a cluster.

``NRDFER_EXECUTOR`` chooses it for the command line, the UI and backfills alike. Every one is surrounded by
``executor.RepairingExecutor``. Keep out: how a cluster's scheduler is called (``slurm.py``, ``ray_jobs.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from nrdfer.core import environment
from nrdfer.core.coerce import brief
from nrdfer.core.errors import NrdferError
from pipelines import fork_server
from pipelines.before_steps import makes_anything
from pipelines.executor import RepairingExecutor, steps_of

if TYPE_CHECKING:
    from pipelines.dagster_internals import ExecutionPlan, PlanOrchestrationContext

VARIABLE = "NRDFER_EXECUTOR"
_PACKAGES = {"ray": "nrdfer[ray]", "k8s": "dagster-k8s"}  # what pip is to install


def chosen_executor() -> dg.ExecutorDefinition:
    """The executor that the variable ``NRDFER_EXECUTOR`` names; ``local`` if it is not set.

    Raises:
        NrdferError: it names none, or one whose packages are not installed.
    """
    name = environment.text(VARIABLE) or "local"
    known = {"local": lambda: local_executor, "ray": _ray, "slurm": _slurm, "k8s": _kubernetes}
    if name not in known:
        raise NrdferError(f"{VARIABLE}={brief(name)} is not valid: give one of {', '.join(known)}, or leave it unset")
    try:
        return known[name]()
    except ImportError as error:
        raise NrdferError(
            f"{VARIABLE}={name} needs a package: pip install '{_PACKAGES.get(name)}' ({error})"
        ) from error


@dg.executor(
    name="multiprocess",
    config_schema=dg.multiprocess_executor.config_schema.as_field(),
    requirements=dg.multiple_process_executor_requirements(),
)
def local_executor(init_context: dg.InitExecutorContext) -> RepairingExecutor:
    """One process per step on this machine, after repairing what killed runs left behind."""
    config = init_context.executor_config
    default = "spawn" if fork_server.obstacle() else "forkserver"
    chosen: Mapping[str, object] = config.get("start_method") or {default: {}}  # type: ignore[assignment]
    forks = "forkserver" in chosen
    start = {"forkserver": {"preload_modules": [fork_server.__name__]}} if forks else chosen
    steps = steps_of(dg.multiprocess_executor, init_context, {**config, "start_method": start})
    return RepairingExecutor(steps, prepare=_begin_forking if forks else _explain_no_forking)


def _begin_forking(context: PlanOrchestrationContext, plan: ExecutionPlan) -> None:
    fork_server.begin(context.dagster_run.job_name, up_to_date=not makes_anything(context, plan))


def _explain_no_forking(context: PlanOrchestrationContext, _: ExecutionPlan) -> None:
    if reason := fork_server.obstacle():
        context.log.info(f"every step starts its own Python, which takes seconds: {reason}")


def _slurm() -> dg.ExecutorDefinition:
    """Each step is a job of Slurm."""
    from pipelines import slurm
    from pipelines.cluster_steps import ClusterExecutor, config_schema

    def make(context: dg.InitExecutorContext) -> RepairingExecutor:
        steps = ClusterExecutor(slurm.SlurmSteps(), context.executor_config)
        return RepairingExecutor(steps, clean_up=slurm.end_jobs_of_ended_runs, cluster=True)

    return _defined("slurm", config_schema(), make)


def _ray() -> dg.ExecutorDefinition:
    """Each step is a job of Ray. What imports Ray is loaded by the run's own process only: no step needs it."""
    from importlib.util import find_spec

    from pipelines.cluster_steps import ClusterExecutor, config_schema

    if find_spec("dagster_ray") is None or find_spec("ray") is None:
        raise ImportError("dagster-ray is not installed")

    def make(context: dg.InitExecutorContext) -> RepairingExecutor:
        from pipelines import ray_jobs

        steps = ClusterExecutor(ray_jobs.RaySteps(), context.executor_config)
        return RepairingExecutor(
            steps,
            prepare=lambda run, _: ray_jobs.tell_what_is_not_handed_on(run.log),
            clean_up=ray_jobs.end_jobs_of_ended_runs,
            cluster=True,
        )

    return _defined("ray", config_schema(), make)


def _kubernetes() -> dg.ExecutorDefinition:
    """Dagster's own executor for Kubernetes, with its settings."""
    from dagster_k8s import k8s_job_executor

    def make(context: dg.InitExecutorContext) -> RepairingExecutor:
        return RepairingExecutor(steps_of(k8s_job_executor, context, context.executor_config), cluster=True)

    return _defined("k8s", k8s_job_executor.config_schema.as_field(), make)


def _defined(name: str, schema: Any, make: Callable[[dg.InitExecutorContext], dg.Executor]) -> dg.ExecutorDefinition:
    requirements = dg.multiple_process_executor_requirements()
    return dg.executor(name=name, config_schema=schema, requirements=requirements)(make)
