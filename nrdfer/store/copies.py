"""Copies of a store's artefacts elsewhere: in a bucket that machines share, and on a fast disk of this one.

Keep here: where an artefact is looked for, in which order, and where a fetched one is kept. Keep out: how it is
transferred (``transfers``) and how the cache is bounded (``scratch``). Without `Copies.bucket` and `Copies.scratch`
nothing is looked for anywhere, and fsspec is not loaded.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from nrdfer.core import environment, paths
from nrdfer.core.atomic_files import sync
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import one_line
from nrdfer.core.progress import Progress
from nrdfer.store.manifest import read_manifest
from nrdfer.store.remote import Remote, UnreachableError
from nrdfer.store.scratch import FETCHING, LIMIT, Scratch, bytes_of
from nrdfer.store.transfers import DamagedCopyError, fetch, remote_manifest, upload

URL, SCRATCH, SHARDS = "NRDFER_STORE_URL", "NRDFER_SCRATCH", "NRDFER_SCRATCH_SHARDS"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Copies:
    """Where a store's artefacts are besides in the store."""

    bucket: Remote | None = None
    scratch: Scratch | None = None
    copies_shards: bool = False  # also those that the store has, because its disk is slow

    def has(self, asset: str, digest: str) -> bool:
        """Whether the bucket has an artefact; a damaged manifest is none.

        Raises:
            UnreachableError: the bucket does not answer.
        """
        try:
            return self.bucket is not None and remote_manifest(self.bucket, asset, digest) is not None
        except DamagedCopyError as error:
            _log.warning("%s", error)
            return False

    def digests(self, asset: str) -> list[str]:
        """Digests of the bucket's artefacts of an asset, whole or not."""
        names = [] if self.bucket is None else self.bucket.names(asset)
        return [name for name in names if len(name) == 64 and set(name) <= set("0123456789abcdef")]

    def fetched(self, asset: str, digest: str, place: Path) -> Path | None:
        """Path of an artefact's copy, fetched from the bucket; None if it is not there.

        Args:
            asset: its name.
            digest: its digest, whose lock the caller holds.
            place: of a copy in the store, where there is no scratch.

        Raises:
            DamagedCopyError: what is in the bucket is not what its manifest says.
            UnreachableError: the bucket does not answer.
            StoreError: the scratch has no room.
        """
        bucket = self.bucket
        if bucket is None:
            return None
        if self.scratch is not None:
            return self.scratch.path(asset, digest, lambda to, reserve: fetch(bucket, asset, digest, to, reserve))
        temporary = place.with_name(f"{FETCHING}{digest}")
        if not fetch(bucket, asset, digest, temporary):
            return None
        with contextlib.suppress(KeyError, ValueError, OSError):  # artefacts are sorted by it, the oldest first
            made = datetime.fromisoformat(read_manifest(temporary)["provenance"]["finished"]).timestamp()
            os.utime(temporary, (time.time(), made))
        temporary.rename(place)
        sync(place.parent)
        return place

    def nearest(self, asset: str, digest: str, place: Path) -> Path:
        """Path from which an artefact of the store is read: a copy of its shards on the scratch, if asked for.

        A scratch that cannot hold it costs speed alone: the store's own is read then.
        """
        if self.scratch is None or not self.copies_shards or not asset.endswith("/shards"):
            return place
        store = Remote.of_folder(place.parents[asset.count("/") + 1])
        try:
            found = self.scratch.path(asset, digest, lambda to, reserve: fetch(store, asset, digest, to, reserve))
        except (StoreError, OSError) as error:
            _log.warning("%s", one_line(f"{asset} {digest[:12]} is read from {place}, not from a copy: {error}"))
            return place
        return found or place

    def is_copy(self, path: Path) -> bool:
        """Whether a path is of the scratch's."""
        return self.scratch is not None and path.is_relative_to(self.scratch.root)

    def forget(self, asset: str, digest: str, path: Path, problem: str) -> bool:
        """Remove a damaged copy if it is the scratch's, so that it is fetched again; returns whether it was."""
        if self.scratch is None or not self.is_copy(path):
            return False
        _log.warning("%s", one_line(f"{path} is damaged ({problem}); it is fetched again"))
        self.scratch.forget(asset, digest)
        return True

    def in_words(self, root: Path) -> str:
        """Where artefacts are looked for, for a message."""
        return str(root) if self.bucket is None else f"{root} and not in {self.bucket.address}"

    def uploaded(
        self, asset: str, digest: str, path: Path, *, again: bool = False, progress: Progress | None = None
    ) -> str:
        """Upload a verified artefact unless it is there; returns why it could not be, or an empty text.

        What was not uploaded is by the next start that finds it in the store, or by ``nrdfer store push``.
        """
        if self.bucket is None or self.bucket.read_only or self.is_copy(path):
            return ""
        try:
            upload(self.bucket, path, asset, digest, again=again, progress=progress)
        except UnreachableError as error:
            waiting = one_line(
                f"{asset} {digest[:12]} is in this machine's store, but not yet in {self.bucket.address}: {error}. It "
                "is uploaded when the same command is run again, or by: nrdfer store push"
            )
            _log.warning("%s", waiting)
            return waiting
        return ""


def copies_of_environment() -> Copies:
    """The bucket and the scratch that the environment names.

    Raises:
        StoreError: one of the variables is not valid.
    """
    address, folder, limit = environment.text(URL).strip(), environment.folder(SCRATCH), environment.text(LIMIT)
    scratch = None if folder is None else Scratch(folder, bytes_of(limit) if limit else None)
    asked = environment.whole(SHARDS, 0, least=0, most=1) == 1
    return Copies(Remote(address) if address else None, scratch, asked)


def state_key(folder: Path, name: str) -> str:
    """Object of a small state file, such as a pointer, in the bucket: as it is named below this project's folder."""
    return f".state/{folder.relative_to(paths.home()).as_posix()}/{name}.json"
