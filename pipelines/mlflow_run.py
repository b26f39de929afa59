"""A pipeline's run in MLflow, made in the run's own process before its first step.

So everything that the steps materialise can name it without importing MLflow. Keep out: how it is made and ended
(``nrdfer/tracking/pending_uploads.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from nrdfer.core.errors import NrdferError

if TYPE_CHECKING:
    from assets.project_resource import Workbench
    from nrdfer.config.profile import Profile
    from pipelines.dagster_internals import PlanOrchestrationContext

TAG_CONFIG = "nrdfer.config_digest"


def begin(context: PlanOrchestrationContext) -> None:
    """Create the MLflow run of a pipeline run, with the resolved profile as its parameters.

    If MLflow does not answer, the run is uploaded later.
    """
    from nrdfer.store.pointers import config_digest
    from nrdfer.tracking.client import TAG_JOB, Tracking
    from nrdfer.tracking.pending_uploads import begin_pipeline
    from nrdfer.training.resolved_settings import resolved_settings

    run, profile = context.dagster_run, settings_of(context)
    tags = {TAG_JOB: run.job_name} | ({TAG_CONFIG: config_digest(profile)} if profile else {})
    params = resolved_settings(profile) if profile else {}  # the network's are added by what imports torch
    begin_pipeline(Tracking(), run.run_id, params, tags, context.log)


def profile_name(context: PlanOrchestrationContext) -> str | None:
    """Name of the profile that the run's steps use, if it is valid."""
    profile = settings_of(context)
    return None if profile is None else profile.name


def settings_of(context: PlanOrchestrationContext) -> Profile | None:
    """Profile that the run's steps will use; None if it is invalid."""
    workbench = workbench_of(context)
    try:
        return None if workbench is None else workbench.settings
    except NrdferError:
        return None


def workbench_of(context: PlanOrchestrationContext) -> Workbench | None:
    """The workbench of the run's steps, as the run's config sets it up; None if none of them uses one."""
    from pipelines.resources import EnvironmentWorkbench

    resolved = dg.validate_run_config(context.job.get_definition(), context.dagster_run.run_config)
    configured = resolved["resources"].get("workbench")
    return None if configured is None else EnvironmentWorkbench(**configured["config"])
