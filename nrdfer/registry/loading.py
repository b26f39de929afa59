"""Networks out of registered versions and folders: checked weights and JSON, read by this package's own code.

Nothing in a version's folder is imported or run, even if MLflow's description of it names code.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nrdfer.core.errors import WeightsError
from nrdfer.core.own_files import NOTES, was_changed
from nrdfer.core.plain_text import name_text
from nrdfer.models.trained_files import LAST, MODEL
from nrdfer.registry import tags
from nrdfer.registry.private_copy import private_copy, private_files
from nrdfer.registry.verified_open import Opened, open_version
from nrdfer.runtime.code_version import code_version
from nrdfer.store import MANIFEST, file_sha256, find_problems, read_manifest
from nrdfer.weights.hub_address import SCHEME, parse_hub_address
from nrdfer.weights.hub_version import fetch_version
from nrdfer.weights.sample_network import ADDRESS, sample_network

_SUFFIXES = (".json", ".safetensors")  # of what a network is read from
_log = logging.getLogger(__name__)


def note_code(opened: Opened) -> str:
    """Digest of the sources behind a version; logs a note if they differ from those that registered it."""
    now = code_version().sources
    try:
        made = json.loads(opened.tags[tags.CODE])["sources"]
    except (KeyError, ValueError, TypeError, RecursionError):
        made = "unknown"
    if made != now:
        _log.info(
            "%s was registered by other sources (%s) than those that answer (%s)", opened.uri, made[:12], now[:12]
        )
    return now


class CheckedNetwork(NamedTuple):
    """Files of a trained network, and the registered version whose they are.

    What the registry says of the version is read with its files: an alias that is looked up again may have moved.
    """

    description: Path  # model.json
    weights: Path  # last.safetensors
    version: Opened | None = None  # None of a folder, the hub and the sample

    @property
    def folder(self) -> Path:
        """Where they are, with what else was kept of the training."""
        return self.description.parent


@contextlib.contextmanager
def checked_weights(model: str) -> Iterator[CheckedNetwork]:
    """As `find_weights`, for immediate reading: of a version, files of a private copy that is removed at the end."""
    if model.startswith("models:"):
        opened = open_version(model)
        with private_copy(opened) as folder:
            yield CheckedNetwork(*_network_in(folder), opened)
    elif model.startswith(SCHEME):
        found = fetch_version(parse_hub_address(model))
        if missing := [name for name in (MODEL, LAST) if name not in found.files]:
            raise WeightsError(f"{found.address} is not a trained network: it has no {' and no '.join(missing)}")
        files = {name: (path, found.manifest.files[name].sha256) for name, path in found.files.items()}
        with private_files(str(found.address), files) as folder:
            yield CheckedNetwork(*_network_in(folder))
    else:
        yield CheckedNetwork(*find_weights(model))


def find_weights(model: str) -> tuple[Path, Path]:
    """Paths of a trained network's description (``model.json``) and weights, in place.

    A version's folder may be written to later, so callers that read the files use `checked_weights`.

    Args:
        model: a registered version's address (``models:/nr-dfernet-dfew@champion``), one on the hub
            (``hf://owner/name@revision``), ``sample`` for the network that ships with the project, or a folder.

    Raises:
        WeightsError: there is no such version, the folder holds no trained network, or its files are not what was
            registered (of a version), published (on the hub), shipped, or made (of a folder of the store, or one that
            ``nrdfer train`` filled).
    """
    if model.startswith("models:"):
        folder = open_version(model).artifacts
    elif model.startswith(SCHEME):
        found = fetch_version(parse_hub_address(model)).files
        folder = next(iter(found.values())).parent
    elif model == ADDRESS:
        folder = sample_network()
    else:
        folder = Path(model)
        if (folder / MANIFEST).is_file() and (changed := _changed(folder)):
            raise WeightsError(f"{folder} is damaged: {changed}; run the training again")
        _refuse_changed(folder)
    return _network_in(folder)


def _network_in(folder: Path) -> tuple[Path, Path]:
    found = folder / MODEL, folder / LAST
    missing = [path.name for path in found if not path.is_file()]
    if missing:
        raise WeightsError(f"{folder} is not a trained network: {' and '.join(missing)} missing")
    return found


def _refuse_changed(folder: Path) -> None:
    """Refuse a user's folder in which a file differs from what nrdfer recorded when it made it."""
    for path in sorted(folder.glob("*")):
        if path.suffix in _SUFFIXES and path.is_file() and was_changed(path):
            raise WeightsError(
                f"{name_text(folder)} is damaged: {name_text(path.name)} was changed since nrdfer made it. Restore it "
                "or run the training again; if the change is intended, copy the files into a folder without "
                f"{NOTES}"
            )


def _changed(folder: Path) -> str:
    """Description of what is wrong with the files of a network in the store; empty if nothing is."""
    problems = find_problems(folder)
    if problems:
        return problems[0]
    listed = read_manifest(folder)["files"]
    for name in listed:
        if name.endswith(_SUFFIXES) and file_sha256(folder / name) != listed[name]["sha256"]:
            return f"{name} has other content than its sha256 in {MANIFEST}"
    return ""
