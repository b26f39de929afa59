"""The resource that all assets use: the resolved profile, the artefact store and MLflow.

Keep here: what every asset needs to reach the library. Keep out: job and executor settings (``pipelines/``).
"""

import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from assets.launchpad import config_of
from assets.run_end import end_with_run
from nrdfer.config import resolve
from nrdfer.config.profile import Profile
from nrdfer.config.settings import merge
from nrdfer.core import paths
from nrdfer.core.errors import StoreError
from nrdfer.store import Artifact, Store, project_store
from nrdfer.store.pointers import Pointers, config_digest, made_with
from nrdfer.tracking.client import Tracking

#: Parts of a profile that the launchpad shows field by field.
TYPED = (
    "model", "model_preset", "dfew_recipe", "afew_recipe", "engine", "align", "enhance", "shards", "device", "workers",
    "chunk_clips",
)  # fmt: skip
_ProfileFields: Any = config_of(Profile, TYPED)


#: Of an input: it is used as far as it was made.
OPTIONAL = "nrdfer/optional"


#: The profile that was resolved last, by what it was made of: every input and output of a step asks for it.
_resolved: dict[tuple[object, ...], Profile] = {}


class Workbench(_ProfileFields, dg.ConfigurableResource["Workbench"]):  # type: ignore[misc]
    """The profile a run uses, and changes to it: the fields of `TYPED`, typed, and any other under ``overrides``."""

    profile: str = Field(
        description=(
            "Which reproduction: a file in profiles_folder, without .yaml. Shipped are sample (rendered faces, "
            "minutes), quick (the same, smaller) and paper (your DFEW and AFEW)."
        )
    )
    profiles_folder: str = Field(description="Folder that holds the profiles.")
    afew_root: str = Field(
        default="", description="Your AFEW folder (holds Train_AFEW and Val_AFEW). Empty: as in the profile."
    )
    dfew_root: str = Field(
        default="", description="Your DFEW folder (holds EmoLabel_DataSplit and Clip). Empty: as in the profile."
    )
    weights_folder: str = Field(
        default="",
        description="Folder with pretrained weights, searched before the hub. Empty: as in the profile.",
    )
    tracking_wait: float = Field(
        default=120.0, description="Seconds that a finished training waits for MLflow's server if it is unreachable."
    )
    overrides: dict[str, Any] = Field(
        default={},
        description=(
            "What has no field here, laid over all else, e.g. {model_settings: {mu1: 0.6}, noise: {seeds: 5}}. "
            "A field that does not exist ends the run before its first step. Default: none."
        ),
    )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """At the start of a step's process, for assets and checks: let it end with its run."""
        end_with_run(context)

    @property
    def settings(self) -> Profile:
        """The resolved profile; the same object as before while neither this nor the profile's file changes.

        Raises:
            ProfileError: no such profile, or an unknown setting.
        """
        folder = Path(self.profiles_folder)
        roots = {"afew_root": self.afew_root, "dfew_root": self.dfew_root, "weights_folder": self.weights_folder}
        overrides = merge(self.model_dump(include=set(TYPED), exclude_defaults=True), self.overrides)
        given = (self.profile, folder, _version(folder / f"{self.profile}.yaml"), repr(roots), repr(overrides))
        profile = _resolved.get(given)
        if profile is None:
            profile = resolve.resolve_profile(self.profile, folder, **roots, overrides=overrides)
            _resolved.clear()
            _resolved[given] = profile
        return profile

    @property
    def config_digest(self) -> str:
        """Digest of everything in the resolved profile."""
        return config_digest(self.settings)

    @property
    def store(self) -> Store:
        """The artefact store."""
        return project_store()

    @property
    def pointers(self) -> Pointers:
        """Pointers to each asset's artefact under this profile's settings."""
        return made_with(self.settings)

    def remember_report(self, artifact: Artifact) -> None:
        """Register the newest report of this profile for ``nrdfer results``."""
        Pointers(self.store, paths.home() / "reports").set(self.settings.name, artifact)

    @property
    def tracking(self) -> Tracking:
        """MLflow: one connection of this process, as long as the address stays."""
        return _tracking(paths.tracking_uri(), paths.tracking_artifacts())


@functools.lru_cache(1)
def _tracking(_address: str, _artifacts: Path) -> Tracking:
    return Tracking()  # which looks for both where they come from


def _version(file: Path) -> tuple[int, ...] | None:
    """What is another after a file was changed; None if it cannot be read."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


#: Metadata of where an artefact comes from, whose values have no type of their own.
_ORIGIN = frozenset({"up_to_date", "source", "weights_file", "detector"})


class ArtifactReferences(dg.ConfigurableIOManager):
    """Passes an artefact's name and digest from step to step; the files themselves stay in the store.

    References are kept per resolved profile, so that materialising one asset from the UI finds the inputs made with
    the same settings, and never those of another profile.
    """

    workbench: dg.ResourceDependency[Workbench]

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """As the workbench's, for steps that only read."""
        end_with_run(context)

    def handle_output(self, context: dg.OutputContext, obj: Artifact) -> None:
        """Record the artefact of an asset."""
        self.workbench.pointers.set(context.asset_key.to_user_string(), obj)

    def load_input(self, context: dg.InputContext) -> Artifact | None:
        """Find the artefact of an upstream asset; None if it was never made and the input is `OPTIONAL`.

        Raises:
            dg.Failure: it was never made with these settings, or was damaged since.
        """
        try:
            artifact = self.workbench.pointers.get(context.asset_key.to_user_string())
        except StoreError as error:  # with its own message, and without a retry, which would change nothing
            raise dg.Failure(str(error), allow_retries=False) from None
        if artifact is None and OPTIONAL not in (context.definition_metadata or {}):
            raise not_made(context.asset_key.to_user_string(), self.workbench.settings)
        return artifact


def not_made(asset: str, profile: Profile) -> dg.Failure:
    """The failure of a step whose input was never made."""
    return dg.Failure(
        f"{asset} has not been made with the settings of the profile {profile.name!r}; materialise it first",
        allow_retries=False,
    )


def describe(artifact: Artifact, **extra: Any) -> Mapping[str, Any]:
    """Metadata that every materialisation shows, in the order in which people ask: results, links, origin.

    Args:
        artifact: that was made, or found.
        **extra: results and links; each keeps its place among its kind.
    """
    known = {
        "up_to_date": dg.MetadataValue.bool(artifact.up_to_date),
        "path": dg.MetadataValue.path(str(artifact.path)),
        "digest": artifact.digest,
    }
    ordered = sorted({**known, **extra}.items(), key=_place)
    return {name: _rounded(value) for name, value in ordered}


def _place(entry: tuple[str, Any]) -> int:
    """0 for a result, 1 for a link, 2 for where something is or comes from, 3 for a digest."""
    name, value = entry
    if name.endswith("digest"):
        return 3
    if name in _ORIGIN or isinstance(value, dg.PathMetadataValue):
        return 2
    return int(isinstance(value, dg.UrlMetadataValue))


def _rounded(value: Any) -> Any:
    """A number with as many digits as it carries: four, of which two are decimals of a percentage."""
    if not isinstance(value, float) or not math.isfinite(value):
        return value
    return round(value, max(0, 3 - math.floor(math.log10(abs(value))))) if value else 0.0
