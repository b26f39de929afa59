"""Opening a registered version: every file is compared with what was registered before any of it is used.

A version is weights and JSON, and no code of it is run, but MLflow imports what the description in its folder names;
a network file in it is for reading (`nrdfer.models.network_file` says which one is run). So a version
whose files are not those of its list (`file_lists`), and one whose folder is outside the folder of this project's
models, are refused before anything is loaded. What is loaded is read from a private copy (`private_copy`) by this
package's own code (`loading`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nrdfer.core import file_locks, paths
from nrdfer.core.errors import WeightsError
from nrdfer.core.safe_names import checked_name
from nrdfer.registry.addresses import Address, parse_address
from nrdfer.registry.file_lists import AGAIN, file_problems, listed_files
from nrdfer.tracking.client import Tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

_LOGGED = "models:/"


@dataclass(frozen=True)
class Opened:
    """A registered version whose files are as registered."""

    name: str
    version: str
    run_id: str
    model_id: str
    folder: Path  # MLflow's model folder
    tags: Mapping[str, str]
    description: str = ""

    @property
    def uri(self) -> str:
        """``models:/<name>/<version>``."""
        return f"models:/{self.name}/{self.version}"

    @property
    def artifacts(self) -> Path:
        """The project's own files: ``model.json``, ``last.safetensors``..."""
        return self.folder / "artifacts"


def look_up(tracking: Tracking, model: str | Address) -> ModelVersion:
    """The registry's entry of a version; its files are not checked.

    Raises:
        WeightsError: the address cannot be read, or there is no such version.
    """
    from mlflow.exceptions import MlflowException

    address = parse_address(model) if isinstance(model, str) else model
    client = tracking.client
    try:
        if address.version is not None:
            return client.get_model_version(address.name, address.version)
        return client.get_model_version_by_alias(address.name, str(address.alias))
    except MlflowException as error:
        raise WeightsError(
            f"no model {address} in this project's registry ({error}); `nrdfer dev` shows what is there, and "
            "`nrdfer reproduce` registers models"
        ) from error


def has_version(tracking: Tracking, model: str) -> bool:
    """Whether the registry has a version at an address; its files are not checked.

    Raises:
        WeightsError: the address cannot be read, or the registry does not answer.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, RESOURCE_DOES_NOT_EXIST, ErrorCode

    try:
        look_up(tracking, model)
    except WeightsError as error:
        found = error.__cause__
        absent = {ErrorCode.Name(RESOURCE_DOES_NOT_EXIST), ErrorCode.Name(INVALID_PARAMETER_VALUE)}
        if isinstance(found, MlflowException) and found.error_code in absent:  # a missing alias is an invalid value
            return False
        raise
    return True


def open_version(model: str, tracking: Tracking | None = None) -> Opened:
    """Find a version's files and check that they are exactly the registered ones.

    Args:
        model: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        tracking: the MLflow store; by default this project's.

    Raises:
        WeightsError: there is no such version, it was not registered by this project, or its files are not what was
            registered; nothing of it was loaded.
    """
    tracking = tracking or Tracking()
    found = look_up(tracking, model)
    uri = f"models:/{found.name}/{found.version}"
    listed = listed_files(uri, found.tags)
    folder = _folder(tracking, found, listed)
    problems = file_problems(folder, listed)
    if problems:
        raise WeightsError(f"{uri} is refused, and nothing of it was loaded: {'; '.join(problems[:3])}. {AGAIN}")
    return Opened(
        found.name, str(found.version), str(found.run_id), model_id_of(found), folder, dict(found.tags),
        str(found.description or ""),
    )  # fmt: skip


def _folder(tracking: Tracking, found: ModelVersion, listed: Mapping[str, str]) -> Path:
    """Folder of a version's files; those of a server are copied to this machine."""
    location = location_of(tracking, found)
    parts = urlsplit(location)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path))
        roots = [tracking.artifacts, *_experiment_root(tracking)]
        if not any(folder.resolve().is_relative_to(root.resolve()) for root in roots):
            raise WeightsError(
                f"models:/{found.name}/{found.version} is refused: its files are in {folder}, outside the folder of "
                f"this project's models ({roots[-1]})"
            )
        return folder
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    try:
        copy = paths.home() / "models" / checked_name(f"{found.name}-{found.version}", "the model")
    except ValueError as error:
        raise WeightsError(f"models:/{found.name}/{found.version} cannot be copied to this machine: {error}") from error
    with file_locks.held(copy.with_name(f"{copy.name}.lock")):
        if not copy.is_dir() or file_problems(copy, listed):
            shutil.rmtree(copy, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
                made = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=scratch)
                Path(made).rename(copy)
    return copy


def model_id_of(found: ModelVersion) -> str:
    """Id of the logged model from which a version was made; empty if it was made from something else.

    MLflow's SQL store keeps it in the version's source only.
    """
    source = str(found.source)
    return source.removeprefix(_LOGGED) if source.startswith(_LOGGED) else ""


def location_of(tracking: Tracking, found: ModelVersion) -> str:
    """Address of a version's folder.

    Raises:
        WeightsError: the logged model behind the version is gone.
    """
    from mlflow.exceptions import MlflowException

    if not model_id_of(found):
        return str(found.source)
    try:
        logged = tracking.client.get_logged_model(model_id_of(found))
    except MlflowException as error:
        raise WeightsError(
            f"models:/{found.name}/{found.version} has lost its files: the logged model {found.source} is gone. {AGAIN}"
        ) from error
    return str(logged.artifact_location)


def _experiment_root(tracking: Tracking) -> list[Path]:
    location = tracking.client.get_experiment(tracking.experiment_id).artifact_location
    parts = urlsplit(str(location))
    return [Path(unquote(parts.path))] if parts.scheme in ("", "file") else []
