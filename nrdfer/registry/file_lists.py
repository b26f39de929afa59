"""The list of a version's files, as it was registered, and how a folder differs from it.

All files count, by their sha256 in the version's tags: one that was replaced (by a pickle, say), added under any name,
or made a link is reported. The consequences belong to `verified_open`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from nrdfer.core.errors import WeightsError
from nrdfer.core.safe_names import stays_below
from nrdfer.registry import tags
from nrdfer.store import file_sha256

_NOT_OURS = {"registered_model_meta"}  # MLflow writes it beside the files whenever they are looked up
AGAIN = (
    "Delete this version in MLflow's page if it should not be used; `nrdfer reproduce` registers the checkpoint again"
)


def listed_files(uri: str, known: Mapping[str, str]) -> dict[str, str]:
    """Path -> sha256 of a version's files, as they were registered.

    Raises:
        WeightsError: the version has no such list, or it names a file outside the version's folder.
    """
    try:
        listed = json.loads(known[tags.FILES])
        if not isinstance(listed, dict) or not all(isinstance(digest, str) for digest in listed.values()):
            raise ValueError("no list of files")
    except (KeyError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{uri} is refused: it has no list of its files with their sha256 (tag {tags.FILES}), so it was not "
            f"registered by this project, and it is unknown what it would run. {AGAIN}"
        ) from error
    for name in listed:
        if not stays_below(name):
            raise WeightsError(
                f"{uri} is refused: its list of files names {in_print(name)}, which is outside its folder"
            )
    alike = {unicodedata.normalize("NFC", name).casefold() for name in listed}
    if len(alike) != len(listed):
        raise WeightsError(f"{uri} is refused: its list of files has names that differ by case or spelling only")
    return listed


def file_problems(folder: Path, listed: Mapping[str, str]) -> list[str]:
    """Differences between a folder and its list, as text; empty if there are none."""
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
    """A file's name for a message, with unprintable characters escaped."""
    return name if name.isprintable() else ascii(name)
