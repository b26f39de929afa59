"""Resources with their defaults: what a run uses when the user configures nothing, or only a part.

Defaults come from the environment (``NRDFER_PROFILE``, ``NRDFER_AFEW_ROOT``, ``NRDFER_DFEW_ROOT``,
``NRDFER_WEIGHTS``, ``NRDFER_PROFILES``, ``NRDFER_TRACKING_WAIT``), and the launchpad or a run config file overrides
them one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from assets.project_resource import ArtifactReferences, Workbench
from nrdfer.core import environment, paths

PROFILES = Path(__file__).parent / "profiles"
_LONGEST_WAIT = 1e7  # seconds: four months


def _number(variable: str, default: float) -> float:
    return environment.number(variable, default, least=0, most=_LONGEST_WAIT)


def _field(name: str, variable: str, default: str | float = "") -> Any:
    """The workbench's field with a default from the environment."""
    return Field(
        default=_number(variable, default) if isinstance(default, float) else environment.text(variable, default),
        description=f"{Workbench.model_fields[name].description} Default: the variable {variable}.",
    )


class EnvironmentWorkbench(Workbench):
    """The workbench as this machine's environment sets it up.

    The defaults are the class's and not an instance's, because Dagster keeps only the former for fields that a run
    config leaves out.
    """

    profile: str = _field("profile", "NRDFER_PROFILE", "sample")
    profiles_folder: str = _field("profiles_folder", "NRDFER_PROFILES", str(PROFILES))
    afew_root: str = _field("afew_root", "NRDFER_AFEW_ROOT")
    dfew_root: str = _field("dfew_root", "NRDFER_DFEW_ROOT")
    weights_folder: str = _field("weights_folder", "NRDFER_WEIGHTS")
    tracking_wait: float = _field("tracking_wait", "NRDFER_TRACKING_WAIT", 120.0)


class ClipLists(dg.FilesystemIOManager):
    """Ids of clips on their way to the step that works on them."""


# configured at launch: one that is configured already would reach the I/O manager without the run config, so that runs
# of different settings would share their pointers
workbench = EnvironmentWorkbench.configure_at_launch()
resources = {
    "workbench": workbench,
    "io_manager": ArtifactReferences(workbench=workbench),
    # on a disk that all machines see, if there are several
    "chunks": ClipLists(base_dir=str(paths.home() / "chunks")),
}
