"""Pointers: small files, each of which maps a name to its current artefact.

A pointer holds an asset's name and a digest, never a file; it is replaced whole. The store knows artefacts by
digest only, and this is how a later process finds the one that was made last under a given set of settings.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from nrdfer.config.profile import Profile
from nrdfer.config.resolve import profile_option
from nrdfer.core import paths
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.errors import StoreError
from nrdfer.core.hashing import digest_of
from nrdfer.core.safe_names import checked_name
from nrdfer.core.state_files import MOST_BYTES, read_state
from nrdfer.store import is_artefact_name
from nrdfer.store.artifacts import Artifact, Store
from nrdfer.store.copies import state_key
from nrdfer.store.project import project_store
from nrdfer.store.remote import UnreachableError

_log = logging.getLogger(__name__)


class Pointers:
    """Named pointers into one store.

    Args:
        store: of the artefacts.
        root: folder of the pointers.
        shared: folder by which other machines find them in the bucket, if it is another.
    """

    def __init__(self, store: Store, root: Path, shared: Path | None = None) -> None:
        self.store = store
        self.root = root
        self._shared = root if shared is None else shared

    def set(self, name: str, artifact: Artifact) -> None:
        """Point `name` to `artifact` from now on; also in the bucket, if the artefact is there.

        Raises:
            ValueError: it is not a valid name.
        """
        text = json.dumps({"asset": artifact.asset, "digest": artifact.digest}).encode()
        write_whole(self._path(name), text)
        if self._shared != self.root:  # `nrdfer store push` sends the folders as they are
            write_whole(self._path(name, self._shared), text)
        bucket = self.store.copies.bucket
        if bucket is None or bucket.read_only or artifact.waiting:
            return
        try:
            bucket.write(state_key(self._shared, name), text)
        except UnreachableError as error:
            _log.warning("%s", f"{error}. Other machines do not find this {name} until the command is run again")

    def get(self, name: str) -> Artifact | None:
        """The artefact of `name`, verified byte by byte; None if the name is not known.

        A damaged pointer is moved away with a warning; its name is unknown until the artefact's step is run again. A
        name that leads outside of the folder is never known. One that this machine does not know is looked up in the
        bucket, and not kept: another machine may change it.

        Raises:
            StoreError: the name is known, but its artefact is gone or damaged; or the bucket does not answer.
        """
        try:
            path = self._path(name)
        except ValueError:
            return None
        target = read_state(path, _target) or self._elsewhere(name)
        return None if target is None else self.store.open(*target)

    def is_known(self, name: str) -> bool:
        """Whether this machine knows a name; neither its artefact nor a bucket is looked at."""
        try:
            return self._path(name).is_file()
        except (ValueError, OSError):
            return False

    def _elsewhere(self, name: str) -> tuple[str, str] | None:
        bucket = self.store.copies.bucket
        if bucket is None:
            return None
        key = ""
        try:
            for root in dict.fromkeys((self._shared, self.root)):  # the second is where earlier releases wrote
                key = state_key(root, name)
                if (text := bucket.read(key, MOST_BYTES)) is not None:
                    return _target(json.loads(text))
            return None
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise StoreError(
                f"{bucket.address}/{key} is damaged ({type(error).__name__}); run the job again on a machine that has "
                f"{name}"
            ) from None

    def _path(self, name: str, root: Path | None = None) -> Path:
        *folders, last = [checked_name(part, "asset or profile") for part in name.split("/")]
        return (root or self.root).joinpath(*folders, f"{last}.json")


def _target(document: Any) -> tuple[str, str]:
    """Asset and digest, checked so that neither leads out of the store."""
    asset, digest = document["asset"], document["digest"]
    if not (isinstance(asset, str) and isinstance(digest, str) and is_artefact_name(asset, digest)):
        raise ValueError("it names no artefact")
    return asset, digest


def config_digest(profile: Profile) -> str:
    """Digest of everything in a resolved profile."""
    return digest_of(profile.to_dict())


def shared_digest(profile: Profile) -> str:
    """Digest of what a profile means on any machine: without its folders and what divides the work of preprocessing.

    Where the profile renders its corpora, a given folder stands for other clips, so it counts there.
    """
    values = profile.to_dict()
    weights = {key: value for key, value in values["weights"].items() if key != "folder"}
    corpora = values["corpora"]
    if not profile.corpora.rendered:
        corpora = {key: value for key, value in corpora.items() if not key.endswith("_root") and key != "roots"}
    others = {key: value for key, value in values.items() if key not in ("workers", "chunk_clips")}
    return digest_of({**others, "weights": weights, "corpora": corpora})


def made_with(profile: Profile) -> Pointers:
    """Pointers to each asset's artefact under exactly this profile's settings; in a bucket, under what they mean."""
    folder = paths.home() / "pointers"
    return Pointers(project_store(), folder / config_digest(profile)[:16], folder / shared_digest(profile)[:16])


def last_made(profile: Profile, asset: str, instead: str) -> Artifact:
    """The artefact of `asset` from the last run of a profile.

    Args:
        profile: with which it was made; one other setting is another profile.
        asset: its name, e.g. ``dfew/shards``.
        instead: what the caller may be given in its place, for the message.

    Raises:
        StoreError: no run made it, or it is gone or damaged.
    """
    artifact = made_with(profile).get(asset)
    if artifact is None:
        raise StoreError(
            f"{asset} has not been made with the profile {profile.name!r} as this shell sets it up; give {instead}, or "
            f"run: nrdfer reproduce{profile_option(profile.name)}"
        )
    return artifact
