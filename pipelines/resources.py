"""Resources with their defaults: what a run uses when the user configures nothing.

Defaults come from the environment (``NRDFER_PROFILE``, ``NRDFER_AFEW_ROOT``, ``NRDFER_DFEW_ROOT``,
``NRDFER_WEIGHTS``, ``NRDFER_PROFILES``), and the launchpad or a run config file overrides them.
"""

from __future__ import annotations

import os
from pathlib import Path

from assets.workbench import ArtifactReferences, Workbench

PROFILES = Path(__file__).parent / "profiles"

workbench = Workbench(
    profile=os.environ.get("NRDFER_PROFILE", "sample"),
    profiles_folder=os.environ.get("NRDFER_PROFILES", str(PROFILES)),
    afew_root=os.environ.get("NRDFER_AFEW_ROOT", ""),
    dfew_root=os.environ.get("NRDFER_DFEW_ROOT", ""),
    weights_folder=os.environ.get("NRDFER_WEIGHTS", ""),
)

resources = {"workbench": workbench, "io_manager": ArtifactReferences(workbench=workbench)}
