"""A folder that is this project's, known by its ``dagster.yaml``, and the variables that name its store.

Keep out: which folder a command takes where there is none (``pipelines/project/folder.py``), and what Dagster and
MLflow need beside it (``pipelines/project/environment.py``).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

HOME, URI = "NRDFER_HOME", "MLFLOW_TRACKING_URI"
#: Values that an activation has set, not the user.
HOME_SET, URI_SET = "_NRDFER_HOME_SET", "_NRDFER_URI_SET"
SETTINGS = "dagster.yaml"
_OURS = re.compile(r"^\s*module:\s*[\"']?pipelines\.", re.MULTILINE)


def project_above(folder: Path) -> Path | None:
    """The folder, or the nearest above it, whose ``dagster.yaml`` names this project's modules; None: there is none."""
    return next((place for place in (folder, *folder.absolute().parents) if is_project(place)), None)


def is_project(folder: Path) -> bool:
    """Whether a folder's ``dagster.yaml`` names this project's modules."""
    try:
        return _OURS.search((folder / SETTINGS).read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeError):
        return False


def is_not_the_users(name: str, activated: str) -> bool:
    """Whether a variable is not set, or by an activation."""
    return os.environ.get(name, "").strip() in ("", os.environ.get(activated, ""))


def use_project_above(folder: Path) -> dict[str, str | None]:
    """Use the store of the project that a folder is in, unless the user has set another: the same in each subfolder.

    Returns:
        The variables that were changed, with their values before; None: was not set.
    """
    found = project_above(folder)
    if found is None or not is_not_the_users(HOME, HOME_SET):
        return {}
    home = str(found / ".nrdfer")
    # in the project's folder itself, nothing set means the same
    if os.environ.get(HOME, "") == home or (not os.environ.get(HOME) and found == folder.absolute()):
        return {}
    before = {name: os.environ.get(name) for name in (HOME, HOME_SET, URI)}
    os.environ[HOME] = os.environ[HOME_SET] = home
    if is_not_the_users(URI, URI_SET):
        os.environ.pop(URI, None)  # then it is in that store
    return before
