"""Verification of a whole store: every byte of every artefact against its manifest.

Making artefacts again belongs to the steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core.progress import Progress
from nrdfer.store.manifest import find_problems, read_manifest

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Verdict:
    """Result of verifying one artefact."""

    asset: str
    digest: str
    path: Path
    bytes: int  # according to its manifest; 0 if that cannot be read
    problems: tuple[str, ...]  # messages, each with the file's name; none if every byte is as it was written


def verify_store(root: Path, progress: Progress | None = None) -> Iterator[Verdict]:
    """Verify every artefact below a store's folder, in the order of their names; nothing is moved.

    Args:
        root: of the store.
        progress: called with (bytes verified, bytes in all), according to the manifests.
    """
    found = [(asset, path, _bytes(path)) for asset, path in artefacts(root)]
    total, done = sum(size for _, _, size in found), 0
    for asset, path, size in found:
        problems = tuple(find_problems(path, "full"))
        done += size
        if progress is not None:
            progress(done, total)
        yield Verdict(asset, path.name, path, size, problems)


def artefacts(root: Path) -> Iterator[tuple[str, Path]]:
    """Asset and folder of every artefact below a store's folder, whole or not."""
    return _artefacts(root, root)


def _artefacts(root: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith("."):  # the store's own
            continue
        if _DIGEST.fullmatch(path.name):
            yield folder.relative_to(root).as_posix(), path
        elif path.is_dir() and not path.is_symlink():
            yield from _artefacts(root, path)


def _bytes(path: Path) -> int:
    try:
        return sum(int(entry["bytes"]) for entry in read_manifest(path)["files"].values())
    except ValueError:
        return 0
