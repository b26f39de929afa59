"""The project's folder: with a ``dagster.yaml``, and beside it, unless set otherwise, everything that is made."""

from __future__ import annotations

import os
from pathlib import Path

from nrdfer.core import paths
from nrdfer.core.errors import NrdferError
from nrdfer.core.project_folder import SETTINGS, project_above


def find_folder() -> Path:
    """The project's folder: the working directory of its commands, with the store in it.

    That is the working directory or the nearest folder above it whose ``dagster.yaml`` is of this project; where there
    is none, ``DAGSTER_HOME``, the working directory with another ``dagster.yaml``, or the folder that holds
    ``NRDFER_HOME``. Else ``DAGSTER_HOME`` says only where Dagster's settings are: ``deploy`` has others for a cluster.

    Raises:
        NrdferError: there is none.
    """
    asked = os.environ.get("DAGSTER_HOME")
    here = Path.cwd()
    found = project_above(here)
    if found is not None:
        return found
    for folder in ([Path(asked)] if asked else []) + [here, paths.home().parent]:
        if (folder / SETTINGS).is_file():
            return folder.absolute()
    raise NrdferError(
        f"no {SETTINGS} here ({here}), in a folder above, or beside {paths.home()}, so Dagster's history cannot be "
        "found; go to the project's folder, set DAGSTER_HOME to the folder that holds it, or make one: nrdfer init "
        "FOLDER"
    )
