"""Every name of Dagster's private API that this project uses, so that an upgrade of Dagster affects one file.

``tests/unit/pipelines/test_dagster_internals.py`` checks, name by name, the interface that is relied on. No other
module of ``pipelines`` or ``assets`` imports a private module of Dagster. Keep out: what Dagster exports itself
(``import dagster as dg``), and all use of the names.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# Types of what an executor is given and says of itself.
# a run before its first step: before_steps, cluster_steps, engines, executor, mlflow_run, step_needs
from dagster._core.execution.context.system import PlanOrchestrationContext

# the error of a step that is started again: cluster_steps
from dagster._core.execution.plan.objects import StepRetryData

# the steps to run: before_steps, cluster_steps, engines, executor
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

    # a run's places in pools, and its steps that wait for one: pool_claims
    from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext

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
    "INFER_SCHEMAS",
    "LOADED_BY_STEPS",
    "MAKE_ENGINES",
    "MIGRATIONS",
    "MIRRORS",
    "CheckStepHealthResult",
    "ConfigurableClassData",
    "DagsterSqliteStorage",
    "ExecutionPlan",
    "InstanceConcurrencyContext",
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
#: Modules that make an engine of SQLAlchemy for every use of a database, by ``create_engine``: dagster_caches.
MAKE_ENGINES = (
    "dagster._core.storage.event_log.sqlite.sqlite_event_log",
    "dagster._core.storage.runs.sqlite.sqlite_run_storage",
    "dagster._core.storage.schedules.sqlite.sqlite_schedule_storage",
)
#: Where alembic finds the migrations of Dagster's databases: fork_server reads their list ahead.
MIGRATIONS = "dagster:_core/storage/alembic"
#: Module that mirrors what steps print, by ``execute_posix_tail``: mirrored_output.
MIRRORS = "dagster._core.execution.compute_logs"
#: Modules that infer the schema of a class for every resource, by ``infer_schema_from_config_class``: dagster_caches.
INFER_SCHEMAS = ("dagster._config.pythonic_config.resource",)


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
        if name == "InstanceConcurrencyContext":
            module = importlib.import_module("dagster._core.execution.plan.instance_concurrency_context")
            return module.InstanceConcurrencyContext
        if name == "ReconstructableRepository":
            return importlib.import_module("dagster._core.definitions.reconstruct").ReconstructableRepository
        if name == "capture_interrupts":
            return importlib.import_module("dagster._utils.interrupts").capture_interrupts
        if name in ("CheckStepHealthResult", "StepDelegatingExecutor", "StepHandler", "StepHandlerContext"):
            return getattr(importlib.import_module("dagster._core.executor.step_delegating"), name)
        raise AttributeError(f"module {__name__} has no attribute {name}")
