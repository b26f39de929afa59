"""Environment of a project's commands, for programs that no activated shell starts: cron, sbatch, another shell.

Sets what ``environment.sh`` sets in a shell; a test compares them. Keep out: where the project is (``folder.py``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from nrdfer.core import environment, paths
from nrdfer.core.project_folder import HOME, HOME_SET, URI, URI_SET, is_not_the_users

MODULE = "pipelines.definitions"
_ROOT = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
_FOLDERS = ("NRDFER_WEIGHTS", "NRDFER_PROFILES", "NRDFER_INBOX", "NRDFER_SCRATCH", HOME)


def enter(folder: Path) -> None:
    """Make a project's folder the working directory, and set for this process and its children what its commands need.

    The user's own settings stay; folders in them mean what they meant where the command was typed. What the activation
    of another project has set does not stay.

    Raises:
        OSError: the folder cannot be written.
        NrdferError: a variable names a folder in the home of an unknown user.
    """
    _make_whole()
    if is_not_the_users(HOME, HOME_SET):
        os.environ[HOME] = os.environ[HOME_SET] = str(folder / ".nrdfer")
    if is_not_the_users(URI, URI_SET):
        os.environ.pop(URI, None)
        os.environ[URI] = os.environ[URI_SET] = paths.tracking_uri()
    else:
        os.environ[URI] = paths.tracking_uri()
    os.environ["MLFLOW_BACKEND_STORE_URI"] = os.environ[URI]
    if os.environ.get(_ROOT, "file:").startswith("file:"):  # else an object store of the user's
        os.environ[_ROOT] = paths.tracking_artifacts().as_uri()
    # the user's own settings of Dagster stay; it refuses a relative folder
    os.environ["DAGSTER_HOME"] = os.path.abspath(os.environ.get("DAGSTER_HOME") or folder)  # noqa: PTH100  # no links
    programs = str(Path(sys.executable).parent)  # what was not activated is not in PATH
    if programs not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, (programs, os.environ.get("PATH"))))
    os.environ["DAGSTER_MODULE_NAME"] = MODULE
    os.chdir(folder)
    paths.home().mkdir(parents=True, exist_ok=True)


def _make_whole() -> None:
    """Make folders absolute, before the working directory is another."""
    roots = [name for name in os.environ if name.startswith("NRDFER_") and name.endswith("_ROOT")]
    for name in (*_FOLDERS, *roots):
        found = environment.folder(name)
        if found is not None:
            os.environ[name] = str(found.absolute())
