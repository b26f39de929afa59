"""Every name of Dagster's private API that this project uses, so that an upgrade of Dagster affects one file.

``tests/unit/pipelines/test_dagster_internals.py`` checks, name by name, the interface that is relied on. No other
module of ``pipelines`` or ``assets`` imports a private module of Dagster. Keep out: what Dagster exports itself
(``import dagster as dg``), and all use of the names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Types of what an executor is given and says of itself.
# a run before its first step: cluster_steps, executor, mlflow_run, step_needs
from dagster._core.execution.context.system import PlanOrchestrationContext

# the error of a step that is started again: cluster_steps
from dagster._core.execution.plan.objects import StepRetryData

# the steps to run: cluster_steps, executor
from dagster._core.execution.plan.plan import ExecutionPlan

# whether steps that fail are tried again: cluster_steps, executor
from dagster._core.execution.retries import RetryMode

# The instance, and the storage that dagster.yaml names.
# a folder's dagster.yaml, opened from elsewhere: history; what it leaves out: instance
from dagster._core.instance.ref import InstanceRef

# the code location of a run, as the pages record it: run_origin
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

# the class and the settings that dagster.yaml names, given to that class: storage, postgres_storage, shared_folders
from dagster._serdes import ConfigurableClassData

if TYPE_CHECKING:
    # the instance of a command line, temporary where DAGSTER_HOME is not set: repair, job_execution
    from dagster._cli.utils import get_possibly_temporary_instance_for_cli

    # a job by its name, which each step's process loads again: job_execution
    from dagster._core.definitions.reconstruct import ReconstructableRepository

    # the executor that gives each step to a handler, and what a handler is and returns: cluster_steps, slurm, ray_jobs
    from dagster._core.executor.step_delegating import (
        CheckStepHealthResult,
        StepDelegatingExecutor,
        StepHandler,
        StepHandlerContext,
    )

    # what steps print, in files: shared_folders
    from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

    # files of runs: shared_folders
    from dagster._core.storage.root import LocalArtifactStorage

    # Dagster's storage in SQLite, opened by one process at a time: storage
    from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

    # a stop on request, which ends a run in order, by either signal: job_execution
    from dagster._utils.interrupts import capture_interrupts

__all__ = [
    "LOADED_BY_STEPS",
    "CheckStepHealthResult",
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "ExecutionPlan",
    "InstanceRef",
    "LoadableTargetOrigin",
    "LocalArtifactStorage",
    "LocalComputeLogManager",
    "ManagedGrpcPythonEnvCodeLocationOrigin",
    "PlanOrchestrationContext",
    "ReconstructableRepository",
    "RemoteRepositoryOrigin",
    "RetryMode",
    "StepDelegatingExecutor",
    "StepHandler",
    "StepHandlerContext",
    "StepRetryData",
    "capture_interrupts",
    "get_possibly_temporary_instance_for_cli",
]

#: Modules that Dagster imports in a step's process when it first needs them: fork_server loads them ahead.
LOADED_BY_STEPS = (
    "dagster._cli",
    "dagster._core.storage.event_log",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
    "dagster._utils.test.definitions",
    "upath.core",
)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import lazily what ``import dagster`` does not load: SQLAlchemy and the command line take seconds."""
        if name == "DagsterSqliteStorage":
            from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

            return DagsterSqliteStorage
        if name == "LocalComputeLogManager":
            from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

            return LocalComputeLogManager
        if name == "LocalArtifactStorage":
            from dagster._core.storage.root import LocalArtifactStorage

            return LocalArtifactStorage
        if name == "get_possibly_temporary_instance_for_cli":
            from dagster._cli.utils import get_possibly_temporary_instance_for_cli

            return get_possibly_temporary_instance_for_cli
        if name == "ReconstructableRepository":
            return importlib.import_module("dagster._core.definitions.reconstruct").ReconstructableRepository
        if name == "capture_interrupts":
            return importlib.import_module("dagster._utils.interrupts").capture_interrupts
        if name in ("CheckStepHealthResult", "StepDelegatingExecutor", "StepHandler", "StepHandlerContext"):
            return getattr(importlib.import_module("dagster._core.executor.step_delegating"), name)
        raise AttributeError(f"module {__name__} has no attribute {name}")
