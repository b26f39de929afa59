"""Opening a registered version: nothing of it is used before every file was compared with what was registered.

A version is weights and JSON, never code, but MLflow imports what the description in its folder names. So all files
count, by their sha256 in the version's tags: a file that was replaced (by a pickle, say), added under any name, or made
a link, and a folder outside the place where this project's models lie, are refused before anything is loaded. What is
loaded is read from a private copy whose bytes were compared while they were copied, so that nobody can exchange a file
in between; and the code that reads it is this package's own, whatever the version's folder says.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nrdfer import paths
from nrdfer.code_version import code_version
from nrdfer.errors import WeightsError
from nrdfer.names import checked_name, stays_below
from nrdfer.registry import tags
from nrdfer.registry.addresses import Address, parse_address
from nrdfer.store import MANIFEST, file_sha256, find_problems, read_manifest
from nrdfer.tracking import Tracking

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.pyfunc import PyFuncModel

_NOT_OURS = {"registered_model_meta"}  # MLflow writes it beside the files whenever they are looked up
_LOGGED = "models:/"
_ARTIFACTS = "artifacts/"  # the project's own files in a version's folder
_WEIGHTS = "last.safetensors"
_BLOCK = 1 << 20
_log = logging.getLogger(__name__)
_AGAIN = (
    "Delete this version in MLflow's page if nobody should use it; `dagster job execute -j full_reproduction` "
    "registers the checkpoint again"
)


@dataclass(frozen=True)
class Opened:
    """A registered version whose files are what was registered."""

    name: str
    version: str
    run_id: str
    model_id: str
    folder: Path  # MLflow's model folder
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """``models:/<name>/<version>``."""
        return f"models:/{self.name}/{self.version}"

    @property
    def artifacts(self) -> Path:
        """The project's own files: ``model.json``, ``last.safetensors``..."""
        return self.folder / "artifacts"


def look_up(tracking: Tracking, model: str | Address) -> ModelVersion:
    """The registry's entry of a version; its files are not looked at.

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
            f"no model {address} in this project's registry ({error}); `mlflow ui` shows what is there, and "
            "`dagster job execute -j full_reproduction` registers models"
        ) from error


def open_version(model: str, tracking: Tracking | None = None) -> Opened:
    """Find a version's files and make sure that they are the registered ones, and no others.

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
        raise WeightsError(f"{uri} is refused, and nothing of it was loaded: {'; '.join(problems[:3])}. {_AGAIN}")
    return Opened(found.name, str(found.version), str(found.run_id), model_id_of(found), folder, dict(found.tags))


def listed_files(uri: str, known: Mapping[str, str]) -> dict[str, str]:
    """Path -> sha256 of a version's files, as they were registered.

    Raises:
        WeightsError: the version has no such list, or it names a file outside the version's folder.
    """
    try:
        listed = json.loads(known[tags.FILES])
        if not isinstance(listed, dict) or not all(isinstance(digest, str) for digest in listed.values()):
            raise ValueError("no list of files")
    except (KeyError, ValueError) as error:
        raise WeightsError(
            f"{uri} is refused: it has no list of its files with their sha256 (tag {tags.FILES}), so it was not "
            f"registered by this project, and nothing says what it would run. {_AGAIN}"
        ) from error
    for name in listed:
        if not stays_below(name):
            raise WeightsError(
                f"{uri} is refused: its list of files names {in_print(name)}, which lies outside its folder"
            )
    alike = {unicodedata.normalize("NFC", name).casefold() for name in listed}
    if len(alike) != len(listed):
        raise WeightsError(f"{uri} is refused: its list of files has names that differ by case or spelling only")
    return listed


def file_problems(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """How a folder differs from its list, in words; empty if it does not."""
    root = folder.resolve()
    problems = []
    for name, digest in sorted(listed.items()):
        path = folder / name
        if path.is_symlink() or not path.resolve().is_relative_to(root):
            problems.append(f"{in_print(name)} is a link that leads elsewhere")
        elif not path.is_file():
            problems.append(f"{in_print(name)} is missing")
        elif (there := file_sha256(path)) != digest:
            problems.append(
                f"{in_print(name)} has the sha256 {there[:12]}, not {digest[:12]}, with which it was registered"
            )
    here = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    added = sorted(here - listed.keys() - _NOT_OURS)
    if added and all("__pycache__" in PurePosixPath(name).parts for name in added):
        return [*problems, f"{in_print(added[0])} was not registered (Python writes such folders; it is never read)"]
    return problems + [f"{in_print(name)} was not registered" for name in added]


def in_print(name: str) -> str:
    """A file's name for a message: what cannot be printed is written out."""
    return name if name.isprintable() else ascii(name)


@contextlib.contextmanager
def private_copy(opened: Opened) -> Iterator[Path]:
    """The project's own files of a version, copied where nobody else writes; every byte was compared on its way.

    Yields:
        A folder with ``model.json``, the weights...; it is removed at the end.

    Raises:
        WeightsError: a file is not, or no longer, the one that was registered.
    """
    listed = _listed(opened)
    with tempfile.TemporaryDirectory(prefix="nrdfer-model-") as scratch:
        for name, digest in listed.items():
            if name.startswith(_ARTIFACTS):
                target = Path(scratch) / name
                target.parent.mkdir(parents=True, exist_ok=True)
                if (there := _copy(opened.folder / name, target)) != digest:
                    raise WeightsError(
                        f"{opened.uri} is refused: {in_print(name)} was exchanged while it was being opened (sha256 "
                        f"{there[:12]}, registered {digest[:12]}). {_AGAIN}"
                    )
        yield Path(scratch) / _ARTIFACTS


def _copy(source: Path, target: Path) -> str:
    """Copy a regular file that is no link; returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    try:
        with target.open("wb") as out, os.fdopen(_open_plain(source), "rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                out.write(block)
    except OSError as error:
        raise WeightsError(f"{source} cannot be read any more: {error.strerror}") from error
    return digest.hexdigest()


def _open_plain(path: Path) -> int:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe in its place would wait for ever
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise WeightsError(f"{path} is no plain file any more, and is refused")
    return handle


def _folder(tracking: Tracking, found: ModelVersion, listed: Mapping[str, str]) -> Path:
    """Where a version's files lie; those of a server are copied to this machine."""
    location = location_of(tracking, found)
    parts = urlsplit(location)
    if parts.scheme in ("", "file"):
        folder = Path(unquote(parts.path))
        roots = [tracking.artifacts, *_experiment_root(tracking)]
        if not any(folder.resolve().is_relative_to(root.resolve()) for root in roots):
            raise WeightsError(
                f"models:/{found.name}/{found.version} is refused: its files lie in {folder}, outside the folder of "
                f"this project's models ({roots[-1]})"
            )
        return folder
    import mlflow

    mlflow.set_tracking_uri(tracking.uri)
    try:
        copy = paths.home() / "models" / checked_name(f"{found.name}-{found.version}", "the model")
    except ValueError as error:
        raise WeightsError(f"models:/{found.name}/{found.version} cannot be copied to this machine: {error}") from error
    with paths.file_lock(copy.with_name(f"{copy.name}.lock")):
        if not copy.is_dir() or file_problems(copy, listed):
            shutil.rmtree(copy, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=copy.parent) as scratch:
                made = mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=scratch)
                Path(made).rename(copy)
    return copy


def model_id_of(found: ModelVersion) -> str:
    """Id of the logged model that a version was made of; empty if it was made of something else.

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
            f"models:/{found.name}/{found.version} has lost its files: the logged model {found.source} is gone. "
            f"{_AGAIN}"
        ) from error
    return str(logged.artifact_location)


def _experiment_root(tracking: Tracking) -> list[Path]:
    location = tracking.client.get_experiment(tracking.experiment_id).artifact_location
    parts = urlsplit(str(location))
    return [Path(unquote(parts.path))] if parts.scheme in ("", "file") else []


def load_registered(
    model: str, tracking: Tracking | None = None, *, folders: Sequence[str | os.PathLike[str]] = ()
) -> PyFuncModel:
    """A registered version behind MLflow's pyfunc interface: checked weights and JSON, and this package's own code.

    Nothing in the version's folder is imported or run, whatever MLflow's description of it says.

    Args:
        model: ``models:/<name>/<version>`` or ``models:/<name>@<alias>``.
        tracking: the MLflow store; by default this project's.
        folders: of a version that takes videos: those whose videos it opens by their path. Without any it takes a
            file's bytes only.

    Raises:
        WeightsError: see `open_version`.
    """
    from mlflow.models import Model
    from mlflow.pyfunc import FLAVOR_NAME, PyFuncModel

    from nrdfer.serving.emotion_model import signature
    from nrdfer.serving.loader import FOLDERS, MODULE, SHA256, Answering, open_artifacts
    from nrdfer.serving.video_model import VideoModel, video_signature

    opened = open_version(model, tracking)
    with private_copy(opened) as folder:
        config = {SHA256: weights_sha256(opened), FOLDERS: [os.fspath(each) for each in folders]}
        wrapper = open_artifacts(folder, config)
    note_code(opened)
    described = Model(
        model_uuid=opened.model_id or None,
        run_id=opened.run_id,
        signature=video_signature() if isinstance(wrapper, VideoModel) else signature(),
        flavors={FLAVOR_NAME: {"loader_module": MODULE}},
        metadata={tags.CODE: code_version().sources},
    )
    return PyFuncModel(described, Answering(wrapper))


def note_code(opened: Opened) -> str:
    """Digest of the sources that answer for a version; says in the log if they are not those that registered it."""
    now = code_version().sources
    try:
        made = json.loads(opened.tags[tags.CODE])["sources"]
    except (KeyError, ValueError, TypeError):
        made = "unknown"
    if made != now:
        _log.info(
            "%s was registered by other sources (%s) than those that answer (%s)", opened.uri, made[:12], now[:12]
        )
    return now


def weights_sha256(opened: Opened) -> str:
    """sha256 of a version's weights, as it was registered.

    Raises:
        WeightsError: its list names none, or several.
    """
    found = [digest for name, digest in _listed(opened).items() if PurePosixPath(name).name == _WEIGHTS]
    if len(found) != 1:
        raise WeightsError(f"{opened.uri} lists {len(found)} files {_WEIGHTS} instead of one. {_AGAIN}")
    return found[0]


def _listed(opened: Opened) -> dict[str, str]:
    return listed_files(opened.uri, opened.tags)


@contextlib.contextmanager
def checked_weights(model: str) -> Iterator[tuple[Path, Path]]:
    """As `find_weights`, for reading at once: of a version, files of a private copy that goes at the end."""
    if not model.startswith("models:"):
        yield find_weights(model)
        return
    with private_copy(open_version(model)) as folder:
        yield _network_in(folder)


def find_weights(model: str) -> tuple[Path, Path]:
    """The description (``model.json``) and the weights of a trained network.

    Args:
        model: a registered version's address (``models:/nr-dfernet-dfew@champion``), or a folder.

    Raises:
        WeightsError: there is no such version, the folder holds no trained network, or its files are not what was
            registered (of a version) or published (of a folder of the store).
    """
    if model.startswith("models:"):
        folder = open_version(model).artifacts
    else:
        folder = Path(model)
        if (folder / MANIFEST).is_file() and (changed := _changed(folder)):
            raise WeightsError(f"{folder} is damaged: {changed}; run the training again")
    return _network_in(folder)


def _network_in(folder: Path) -> tuple[Path, Path]:
    found = folder / "model.json", folder / _WEIGHTS
    missing = [path.name for path in found if not path.is_file()]
    if missing:
        raise WeightsError(f"{folder} is no trained network: {' and '.join(missing)} missing")
    return found


def _changed(folder: Path) -> str:
    """What is wrong with the files of a network in the store; empty if nothing is."""
    problems = find_problems(folder)
    if problems:
        return problems[0]
    listed = read_manifest(folder)["files"]
    for name in listed:
        if name.endswith((".json", ".safetensors")) and file_sha256(folder / name) != listed[name]["sha256"]:
            return f"{name} has another content than its sha256 in {MANIFEST}"
    return ""
