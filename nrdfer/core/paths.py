"""Paths of this project on this machine: one folder, ``.nrdfer`` in the working directory by default.

Set the environment variable ``NRDFER_HOME`` to keep it elsewhere (a larger disk). Only these functions know names
inside it; the content of the store belongs to `nrdfer.store`.
"""

from __future__ import annotations

import os
from pathlib import Path

from nrdfer.core import addresses, environment
from nrdfer.core.errors import NrdferError


def home() -> Path:
    """The folder that holds everything this project makes, absolute.

    Raises:
        NrdferError: it is in a working directory that is gone, or in the home of an unknown user.
    """
    try:
        return (environment.folder("NRDFER_HOME") or Path(".nrdfer")).absolute()
    except FileNotFoundError as error:
        raise NrdferError(
            "the working directory was removed, so there is no project folder in it; go to another one, or set "
            "NRDFER_HOME to the whole path of the project's folder"
        ) from error


def store_root() -> Path:
    """Content-addressed artefacts."""
    return home() / "store"


def corpus_root(name: str) -> Path:
    """A rendered corpus, by profile name."""
    return home() / "corpus" / name


def weights_folder() -> Path:
    """Folder for pretrained weights that a user adds by hand."""
    return home() / "weights"


def network_files() -> Path:
    """Copies of the network files that users named here, by sha256; see `nrdfer.models.network_file`."""
    return home() / "networks"


def inbox() -> Path:
    """Folder that is watched for new videos: ``NRDFER_INBOX`` if set."""
    given = environment.folder("NRDFER_INBOX")
    return given.absolute() if given else home() / "inbox"


def predictions() -> Path:
    """Folder of the predictions for the inbox's videos."""
    return home() / "predictions"


def device_slots() -> Path:
    """Files whose locks show which GPU is in use; see `nrdfer.runtime.gpu_slots`."""
    return home() / "devices"


def tracking_uri() -> str:
    """MLflow's store: ``MLFLOW_TRACKING_URI`` if set, else one SQLite file in `home`.

    An address without secrets, which means the same in every folder; see `nrdfer.core.addresses.usable`.
    """
    own = home() / "mlflow.db"
    given = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    return addresses.usable(given, own) if given else addresses.sqlite_address(own)


def tracking_artifacts() -> Path:
    """Folder of MLflow's run and model files when its store is the local SQLite file."""
    return home() / "mlartifacts"
