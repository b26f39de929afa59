"""The manifest of a published folder: what it holds, byte for byte, and what it was made of.

Keep here: writing, reading and checking ``MANIFEST.json``. Keep out: where folders lie and when they are made.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from nrdfer.code_version import code_version
from nrdfer.store.digests import file_sha256

MANIFEST = "MANIFEST.json"
Verify = Literal["sizes", "full"]


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
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
        for file in sorted(folder.rglob("*"))
        if file.is_file()
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
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a published folder.

    Raises:
        ValueError: it is missing or is not a manifest.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{MANIFEST} cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise ValueError(f"{MANIFEST} is not a manifest")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(_is_entry(entry) for entry in files.values()):
        raise ValueError(f"{MANIFEST} does not list files with their bytes and sha256")
    return manifest


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("bytes"), int) and isinstance(entry.get("sha256"), str)


def find_problems(folder: Path, verify: Verify = "sizes") -> list[str]:
    """What is wrong with a published folder, in plain words; empty if nothing is.

    Args:
        folder: the published folder.
        verify: ``sizes`` looks at every file's presence and size; ``full`` also hashes every file and reports files
            that were added.
    """
    try:
        files: dict[str, Mapping[str, Any]] = read_manifest(folder)["files"]
    except ValueError as error:
        return [str(error)]
    found = []
    for name, entry in files.items():
        file = folder / name
        if not file.is_file():
            found.append(f"{name} is missing")
        elif file.stat().st_size != entry["bytes"]:
            found.append(f"{name} has {file.stat().st_size} bytes instead of {entry['bytes']}")
        elif verify == "full" and file_sha256(file) != entry["sha256"]:
            found.append(f"{name} has another content than its sha256 in {MANIFEST}")
    if verify == "full":
        there = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
        found += [f"{name} is not in {MANIFEST}" for name in sorted(there - files.keys() - {MANIFEST})]
    return found
