"""The manifest of a published folder: what it holds, byte for byte, and what it was made of.

Keep here: writing, reading and checking ``MANIFEST.json``. Keep out: where folders are and when they are made.
"""

from __future__ import annotations

import json
import platform
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nrdfer.core.hashing import digest_of
from nrdfer.core.state_files import read_bounded
from nrdfer.runtime.code_version import code_version
from nrdfer.store.entries import Verify, are_entries, entry_of, problem_of
from nrdfer.store.sealed import SEAL, sealed

MANIFEST = "MANIFEST.json"
MOST_BYTES = 1 << 30  # a corpus of a million files has some 150 MB
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELDS = {"asset", "digest", "code_version", "config", "inputs", "counts", "bytes", "provenance", "files"}
_IDENTITY = ("asset", "code_version", "config", "inputs")


def write_manifest(folder: Path, facts: Mapping[str, Any], started: float) -> None:
    """Describe every file in `folder` (recursively) in its ``MANIFEST.json``.

    Args:
        folder: finished folder, not yet published.
        facts: asset, digest, code version, config, inputs and counts.
        started: `time.time` when the step began.

    Raises:
        ValueError: the step wrote a file of that name itself.
    """
    if (folder / MANIFEST).exists():
        raise ValueError(f"a step may not write a file named {MANIFEST}; that name is the store's")
    files = {
        file.relative_to(folder).as_posix(): entry_of(file) for file in sorted(folder.rglob("*")) if file.is_file()
    }
    manifest = {
        **facts,
        "bytes": sum(entry["bytes"] for entry in files.values()),
        "provenance": {
            "code": code_version().to_dict(),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "seconds": round(time.time() - started, 2),
        },
        "files": files,
    }
    (folder / MANIFEST).write_text(sealed(manifest, indent=1))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a published folder.

    It is held against its seal, and what it says to be made of against the digest that names the folder. One that an
    earlier version wrote has no seal.

    Raises:
        ValueError: it is missing, is not a manifest, or was changed.
    """
    try:
        text = read_bounded(folder / MANIFEST, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise ValueError(f"{MANIFEST} cannot be read: {error}") from error
    return parse_manifest(text, folder.name)


def parse_manifest(text: bytes, name: str) -> dict[str, Any]:
    """The content of a manifest, checked as `read_manifest` does.

    Args:
        text: of the file.
        name: of the folder that it describes: a digest, except of a copy outside of a store.

    Raises:
        ValueError: it is no manifest, or was changed.
    """
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise ValueError(f"{MANIFEST} is not a manifest")
    if not are_entries(manifest.get("files")):
        raise ValueError(f"{MANIFEST} does not list files of its folder with their bytes and sha256")
    if not all(isinstance(manifest.get(part), dict) for part in ("config", "inputs", "counts", "provenance")):
        raise ValueError(f"{MANIFEST} does not say what it was made of")
    _hold(manifest, name)
    return manifest


def _hold(manifest: dict[str, Any], name: str) -> None:
    """Refuse a manifest that was changed, or that belongs to another artefact than its name says."""
    try:
        if SEAL in manifest:
            seal = manifest.pop(SEAL)
            same = seal == digest_of(manifest)
        else:
            same = set(manifest) == _FIELDS
        if same and _DIGEST.fullmatch(name):  # else it was copied out of the store
            same = digest_of({part: manifest[part] for part in _IDENTITY}) == name
    except (KeyError, ValueError, RecursionError):  # NaN, nested too deeply
        same = False
    if not same:
        raise ValueError(f"{MANIFEST} has other content than when it was written")


def find_problems(folder: Path, verify: Verify = "sizes") -> list[str]:
    """Descriptions of what is wrong with a published folder; empty if nothing is.

    Args:
        folder: the published folder.
        verify: ``sizes`` checks every file's presence and size; ``full`` also hashes every file and reports files
            that were added.
    """
    try:
        files: dict[str, Mapping[str, Any]] = read_manifest(folder)["files"]
    except ValueError as error:
        return [str(error)]
    problems = (problem_of(folder, name, entry, MANIFEST, verify) for name, entry in files.items())
    found = [problem for problem in problems if problem is not None]
    if verify == "full":
        there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
        found += [f"{name} is not in {MANIFEST}" for name in sorted(there - files.keys() - {MANIFEST})]
    return found
