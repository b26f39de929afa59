"""Folders of Dagster's runs in the project's folder, which all machines see.

``deploy/dagster.yaml`` names these classes. A path relative to the working directory, as in ``dagster.yaml``, would be
another folder for a step on another machine. Keep out: the history (``postgres_storage.py``, ``storage.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg

from nrdfer.core import paths
from pipelines.dagster_internals import ConfigurableClassData, LocalArtifactStorage, LocalComputeLogManager

_FOLDER = "dagster"  # below NRDFER_HOME


class HomeArtifactStorage(LocalArtifactStorage):
    """As Dagster's own, in ``NRDFER_HOME/dagster``; no settings."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No settings."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Made by Dagster."""
        return cls(str(paths.home() / _FOLDER), inst_data)


class HomeComputeLogManager(LocalComputeLogManager):
    """What steps print, in ``NRDFER_HOME/dagster/logs``.

    Its setting ``polling_timeout`` is Dagster's.
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """As Dagster's, without the folder."""
        return {"polling_timeout": dg.Field(float, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        """Made by Dagster."""
        return cls(base_dir=str(paths.home() / _FOLDER / "logs"), inst_data=inst_data, **config_value)
