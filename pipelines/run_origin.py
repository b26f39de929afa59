"""Code location of a run that a command line started: without it, Dagster's pages do not find the run.

The pages filter a job's runs and fill the timeline by it, and ``dagster job execute`` records none. Keep out: which run
it is, and when (``executor.py``).
"""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg

from pipelines.dagster_internals import (
    LoadableTargetOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from pipelines.project.environment import MODULE

LOCATION = "nrdfer"  # as workspace.yaml names it
REPOSITORY = "__repository__"  # as Dagster names what a module's `Definitions` become
TAG_LOCATION = "dagster/code_location"


def record_origin(instance: dg.DagsterInstance, run_id: str) -> None:
    """Record a run's code location, as the pages do when they launch one; one that is recorded stays.

    Only for this project's own jobs: its executor can run those of another module, too.
    """
    run = instance.get_run_by_id(run_id)
    if run is None or run.remote_job_origin is not None or run.job_code_origin is None:
        return
    if getattr(run.job_code_origin.repository_origin.code_pointer, "module", None) != MODULE:
        return
    module = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE, working_directory=str(Path.cwd()))
    location = ManagedGrpcPythonEnvCodeLocationOrigin(module, LOCATION)
    origin = RemoteRepositoryOrigin(location, REPOSITORY).get_job_origin(run.job_name)
    # the tags first: replacing the origin changes the tag of the repository, but adds none
    instance.add_run_tags(run_id, {**run.with_job_origin(origin).tags_for_storage(), TAG_LOCATION: LOCATION})
    tagged = instance.get_run_by_id(run_id)
    if tagged is not None:
        instance.run_storage.replace_job_origin(tagged, origin)
