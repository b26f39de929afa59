"""Locations of profiles, and the profile that the environment selects: the same for Dagster and the CLI.

The shape of a profile belongs to ``config``; the contents of an artefact, to its step.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile, load_profile
from nrdfer.config.settings import merge
from nrdfer.core import environment
from nrdfer.core.errors import ProfileError
from nrdfer.core.safe_names import checked_name

DEFAULT = "sample"


def shipped_profiles() -> Path:
    """The folder of the profiles that come with the project.

    Raises:
        ProfileError: the package that holds them is not installed.
    """
    # They belong to a higher layer; the package is located without importing it.
    spec = find_spec("pipelines")
    if spec is None or not spec.submodule_search_locations:
        raise ProfileError("the package 'pipelines', which holds the profiles, is not installed; install nrdfer again")
    return Path(next(iter(spec.submodule_search_locations))) / "profiles"


def resolve_profile(
    name: str,
    folder: Path,
    *,
    afew_root: str = "",
    dfew_root: str = "",
    weights_folder: str = "",
    overrides: Mapping[str, Any] | None = None,
) -> Profile:
    """A profile with the user's own folders, where given, and any other field laid over it.

    Raises:
        ProfileError: no such profile, or a setting that is not understood.
    """
    corpora = {"afew_root": afew_root, "dfew_root": dfew_root}
    given = {key: value for key, value in corpora.items() if value}
    top: dict[str, Any] = {"corpora": given} if given else {}
    if weights_folder:
        top["weights"] = {"folder": weights_folder}
    try:
        path = folder / f"{checked_name(name, 'profile')}.yaml"
    except ValueError as error:
        raise ProfileError(f"{error}. A profile is a file NAME.yaml in {folder}") from error
    return load_profile(path, merge(top, overrides or {}))


def profile_option(name: str) -> str:
    """The option that commands in messages need for a profile: empty for the one that the shell has."""
    return "" if name == environment.text("NRDFER_PROFILE", DEFAULT) else f" --profile {shlex.quote(name)}"


def profile_of_shell(name: str | None = None) -> Profile:
    """The profile as the environment sets it up, as Dagster does when its run config is empty.

    Args:
        name: instead of ``NRDFER_PROFILE``.

    Raises:
        ProfileError: no such profile, or a setting that is not understood.
    """
    return resolve_profile(
        name or environment.text("NRDFER_PROFILE", DEFAULT),
        environment.folder("NRDFER_PROFILES") or shipped_profiles(),
        afew_root=environment.text("NRDFER_AFEW_ROOT"),
        dfew_root=environment.text("NRDFER_DFEW_ROOT"),
        weights_folder=environment.text("NRDFER_WEIGHTS"),
    )
