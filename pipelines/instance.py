"""The Dagster instance of this project: a run is signed by its process at the moment it is made.

``dagster.yaml`` names this class. Without it, a run whose process is killed between its creation and its first step
would have no owner, and stay "started" forever. Keep out: the handling of dead runs (``repair.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from pipelines import last_words
from pipelines.dagster_internals import InstanceRef
from pipelines.run_ownership import signature_tags

last_words.install()  # the first of this project that Dagster loads


class SigningInstance(dg.DagsterInstance):
    """As Dagster's own. A caller of `create_run_for_job` also executes the run; the UI's runs are signed later."""

    @classmethod
    def config_schema(cls) -> Mapping[str, Any]:
        """No settings beside Dagster's."""
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, Any]:
        """Dagster's."""
        return InstanceRef.config_defaults(base_dir)

    def create_run_for_job(self, job_def: dg.JobDefinition, **more: Any) -> dg.DagsterRun:  # type: ignore[override]
        """As Dagster's, with the signature among the tags."""
        more["tags"] = {**(more.get("tags") or {}), **signature_tags()}
        return super().create_run_for_job(job_def, **more)
