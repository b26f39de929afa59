"""The project's folder: where ``dagster.yaml`` is, and beside it, unless set otherwise, everything that is made."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nrdfer.core import paths
from nrdfer.core.errors import NrdferError

SETTINGS = "dagster.yaml"
_OURS = re.compile(r"^\s*module:\s*[\"']?pipelines\.", re.MULTILINE)


def find_folder() -> Path:
    """The folder whose ``dagster.yaml`` the runs of this project read.

    That is ``DAGSTER_HOME`` if it has one, else the working directory, else the nearest folder above it whose
    ``dagster.yaml`` is of this project, else the one that holds ``NRDFER_HOME``.

    Raises:
        NrdferError: there is none.
    """
    asked = os.environ.get("DAGSTER_HOME")
    here = Path.cwd()
    above = [folder for folder in here.parents if _is_ours(folder)][:1]
    for folder in ([Path(asked)] if asked else []) + [here, *above, paths.home().parent]:
        if (folder / SETTINGS).is_file():
            return folder.absolute()
    raise NrdferError(
        f"no {SETTINGS} here ({here}), in a folder above, or beside {paths.home()}, so Dagster's history cannot be "
        "found; go to the project's folder, set DAGSTER_HOME to the folder that holds it, or make one: nrdfer init "
        "FOLDER"
    )


def _is_ours(folder: Path) -> bool:
    try:
        return _OURS.search((folder / SETTINGS).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeError):
        return False
