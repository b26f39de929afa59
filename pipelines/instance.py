"""The name `SigningInstance` for a ``dagster.yaml`` of release 0.1.0, which asks for it: Dagster's own instance.

A run's process holds a lease instead of signing the run (``run_lease.py``), and the shipped ``dagster.yaml`` names no
class any more. Without this module every command in a folder with the former file would end with an import error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from pipelines.dagster_internals import InstanceRef


class SigningInstance(dg.DagsterInstance):
    """As Dagster's own; these two methods are what Dagster asks of any class that ``dagster.yaml`` names."""

    @classmethod
    def config_schema(cls) -> Mapping[str, Any]:
        """No settings beside Dagster's."""
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> Mapping[str, Any]:
        """Dagster's."""
        return InstanceRef.config_defaults(base_dir)
