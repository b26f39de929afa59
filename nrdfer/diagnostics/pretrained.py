"""Pretrained weights by name and size: which are here, which the profile needs, and where to put the others.

Contents are not read, which takes seconds for a file of 100 MB: what is used is verified then, and by
``nrdfer weights list``.
"""

from __future__ import annotations

from pathlib import Path

from nrdfer.config.profile import Profile
from nrdfer.core import environment, paths
from nrdfer.core.disk import is_there
from nrdfer.core.errors import NrdferError, WeightsError
from nrdfer.diagnostics.findings import Level, Section
from nrdfer.weights.catalogue import CATALOGUE, PinnedWeights, sample_weights
from nrdfer.weights.locate import local_folder

_MOST = 100_000  # entries of a folder that are looked at


def examine(profile: Profile | None) -> Section:
    """The shipped weights and the catalogue's; a missing one is an error only where the profile needs it.

    Args:
        profile: whose weights are needed; None if it cannot be read.
    """
    found = Section("weights")
    try:
        folder = local_folder(_given(profile))
    except NrdferError as error:
        found.note("missing", str(error))
        return found
    place = folder or paths.weights_folder()
    found.facts = {"folder": str(place), "here": {}, "absent": []}
    if folder is not None and not is_there(folder):
        found.note(
            "missing",
            f"the folder of weights {folder} does not exist, or may not be looked into; make it, or correct "
            "NRDFER_WEIGHTS",
        )
        folder = None
    needed = {profile.weights.retinaface, profile.weights.enlightengan} if profile else set()
    if profile and profile.enhance == "none":
        needed.discard(profile.weights.enlightengan)
    _shipped(found)
    for pinned in CATALOGUE.values():
        path = find_likely(pinned, folder)
        if path is not None:
            found.facts["here"][pinned.name] = str(path)
            found.note("ok", f"{pinned.name}: {path} (by name or size; its content is verified when it is used)")
            continue
        found.facts["absent"].append(pinned.name)
        level, words = _absent(
            pinned, place, pinned.name in needed, profile is not None and profile.weights.allow_download
        )
        found.note(level, words)
    for own in sorted(needed - set(CATALOGUE) - {"sample"}):
        path = Path(own).expanduser()
        found.note(
            "ok" if path.is_file() else "missing", f"{path} of the profile {'' if path.is_file() else 'is not '}there"
        )
    return found


def _given(profile: Profile | None) -> str | None:
    return profile.weights.folder if profile else environment.text("NRDFER_WEIGHTS") or None


def _shipped(found: Section) -> None:
    for name in ("retinaface", "enlightengan"):
        try:
            found.facts["here"][f"sample {name}"] = str(sample_weights(name))
        except WeightsError as error:
            found.note("missing", str(error))
            return
    found.note("ok", "the sample's weights of both networks are installed")


def find_likely(pinned: PinnedWeights, folder: Path | None) -> Path | None:
    """A file with the name or the size of the published one, in the folder or in the hub's cache."""
    wanted = Path(pinned.filename).name
    if folder is not None and folder.is_file():
        return folder if _fits(folder, pinned) else None
    if folder is not None:
        for count, path in enumerate(folder.rglob("*")):
            if count > _MOST:
                break
            if (path.name == wanted or pinned.size is not None) and _fits(path, pinned):
                return path
    if pinned.repo is None:
        return None
    from huggingface_hub import constants  # without its transfer, which takes half a second to load

    kind = pinned.repo_type or "model"
    name = "--".join((f"{kind}s", *pinned.repo.split("/")))
    cached = Path(constants.HF_HUB_CACHE).expanduser() / name / "snapshots" / str(pinned.revision) / pinned.filename
    return cached if _fits(cached, pinned) else None


def _fits(path: Path, pinned: PinnedWeights) -> bool:
    try:
        return path.is_file() and (pinned.size is None or path.stat().st_size == pinned.size)
    except OSError:
        return False


def _absent(pinned: PinnedWeights, place: Path, needed: bool, download: bool) -> tuple[Level, str]:
    name = Path(pinned.filename).name
    if pinned.repo is not None:
        level: Level = "note" if not needed else "warning" if download else "missing"
        later = "; the run fetches it" if needed and download else ""
        return (
            level,
            f"{pinned.name}: not here{later}. `nrdfer weights fetch {pinned.name}`, or put {name} into {place}",
        )
    level = "missing" if needed else "note"
    return level, f"{pinned.name}: not here. Put {name} into {place}; it is at {pinned.source}"
