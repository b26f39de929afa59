"""Folders: this project's, the scratch, and those of the corpora; nothing is written, and no corpus is read."""

from __future__ import annotations

import os
from pathlib import Path

from nrdfer.config.profile import Profile
from nrdfer.core import disk, environment, paths
from nrdfer.core.errors import NrdferError
from nrdfer.corpora.registry import CORPORA
from nrdfer.diagnostics.findings import Level, Section, amount
from nrdfer.store.copies import SCRATCH

_LEAST, _GENEROUS = 1 << 30, 10 << 30  # bytes: too few for the sample; enough for one AFEW


def examine_disks() -> Section:
    """Room and rights where the store and the scratch are."""
    found = Section("disks")
    try:
        places = [("project folder (NRDFER_HOME)", paths.home())]
        if (scratch := environment.folder(SCRATCH)) is not None:
            places.append((f"scratch ({SCRATCH})", scratch))
    except NrdferError as error:
        found.note("missing", str(error))
        return found
    for name, folder in places:
        free, existing = disk.free_bytes(folder), next(p for p in (folder, *folder.absolute().parents) if _exists(p))
        found.facts[name] = {"folder": str(folder), "free": free}
        made = "" if _exists(folder) else ", made at its first use"
        words = f"{name}: {folder}{made}, {amount(free)} free"
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            found.note("missing", f"{name}: {folder} cannot be written; make it writable, or name another folder")
        elif free < _LEAST:
            found.note("missing", f"{words}: at least {amount(_LEAST)} are needed to begin")
        else:
            found.note("ok" if free >= _GENEROUS else "warning", f"{words}{'' if free >= _GENEROUS else ': little'}")
    return found


def examine_corpora(profile: Profile | None) -> Section:
    """The folders that variables or the profile name for the corpora, and whether they exist."""
    found = Section("corpora")
    if profile is not None and profile.corpora.rendered:
        found.note("ok", f"the profile {profile.name!r} renders its own; no folder is needed")
    for corpus in CORPORA.values():
        given = environment.text(corpus.variable)
        root = given or (profile.corpora.root_of(corpus.name) if profile else None) or corpus.default_root
        if not root and not corpus.splits:  # rendered when it is needed
            continue
        wanted = profile is not None and not profile.corpora.rendered and corpus.of_paper
        found.facts[corpus.name] = {
            "folder": str(root) if root else None,
            "variable": corpus.variable,
            "exists": bool(root) and _is_folder(root),
        }
        if not root:
            level: Level = "missing" if wanted else "note"
            found.note(level, f"{corpus.title}: {corpus.variable} is not set")
        elif _is_folder(root):
            found.note("ok", f"{corpus.title}: {root}; `nrdfer doctor --corpora` checks it")
        else:
            found.note("missing", f"{corpus.title}: the folder {root} does not exist; correct {corpus.variable}")
    return found


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be looked into
        return False


def _is_folder(root: str | Path | None) -> bool:
    try:
        return bool(root) and Path(str(root)).expanduser().is_dir()
    except (OSError, RuntimeError):
        return False
