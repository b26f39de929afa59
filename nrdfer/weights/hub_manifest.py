"""The manifest of a trained network on the hub: every file of it, with its length and sha256.

Written by `nrdfer push`, and compared with every file before any of it is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nrdfer.core.errors import WeightsError

MANIFEST = "nrdfer.json"
SCHEMA = 1
SUFFIXES = (".safetensors", ".json", ".md")  # of files that may be in such a repository
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST_WEIGHTS, MOST_TEXT = 8 << 30, 4 << 20  # bytes of one file


@dataclass(frozen=True)
class ManifestFile:
    """A file's content."""

    size: int  # bytes
    sha256: str


@dataclass(frozen=True)
class HubManifest:
    """A trained network on the hub."""

    network: str  # name in `nrdfer.models.registry`
    emotions: tuple[str, ...]
    files: Mapping[str, ManifestFile]

    def to_json(self) -> bytes:
        """The file's content; the inverse of `read_manifest`."""
        files = {name: {"bytes": file.size, "sha256": file.sha256} for name, file in sorted(self.files.items())}
        content = {"schema": SCHEMA, "network": self.network, "emotions": list(self.emotions), "files": files}
        return (json.dumps(content, indent=1) + "\n").encode()


def read_hub_manifest(data: bytes, where: str) -> HubManifest:
    """Read a manifest; `where` it is from is named in errors.

    Raises:
        WeightsError: it is none, or lists a file that may not be there.
    """
    try:
        content = json.loads(data)
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {content['schema']!r}, and this version reads {SCHEMA}")
        emotions = tuple(map(str, content["emotions"]))
        files = {name: _file(name, entry) for name, entry in content["files"].items()}
        if not files:
            raise ValueError("no files")
        return HubManifest(str(content["network"]), emotions, files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(
            f"{MANIFEST} of {where} does not list a model's files ({type(error).__name__}: {str(error)[:200]}); it was "
            "not written by `nrdfer push`, or changed since"
        ) from error


def _file(name: str, entry: Mapping[str, Any]) -> ManifestFile:
    size, sha256 = entry["bytes"], entry["sha256"]
    if not _NAME.fullmatch(name) or not name.endswith(SUFFIXES) or name == MANIFEST:
        raise ValueError(f"{name[:100]!r} is no name of a file that may be in it")
    most = _MOST_WEIGHTS if name.endswith(".safetensors") else MOST_TEXT
    if type(size) is not int or not 0 < size <= most or not _SHA256.fullmatch(sha256):
        raise ValueError(f"{name} has no length up to {most:,} bytes, or no sha256")
    return ManifestFile(size, sha256)
