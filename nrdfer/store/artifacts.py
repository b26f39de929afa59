"""Building, finding and opening artefacts; the package's docstring describes how a result becomes visible."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nrdfer.core import disk
from nrdfer.core.atomic_files import sync
from nrdfer.core.errors import StoreError
from nrdfer.core.file_locks import lock
from nrdfer.core.hashing import digest_of
from nrdfer.core.plain_text import one_line
from nrdfer.store.abandoned import remove_abandoned, temporary_name
from nrdfer.store.copies import Copies
from nrdfer.store.entries import Verify
from nrdfer.store.manifest import find_problems, read_manifest, write_manifest
from nrdfer.store.transfers import DamagedCopyError

_ASSET = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_LONGEST = 200  # characters of an asset's name, which is folders
_NAMED = 3  # files that a message names
DAMAGED = ".damaged"
_log = logging.getLogger(__name__)
Build = Callable[[Path], Mapping[str, Any]]
ResumableBuild = Callable[[Path, Path], Mapping[str, Any]]


def is_artefact_name(asset: str, digest: str) -> bool:
    """Whether an asset and a digest are valid parts of an artefact's name."""
    return bool(len(asset) <= _LONGEST and _ASSET.fullmatch(asset) and _DIGEST.fullmatch(digest))


@dataclass(frozen=True)
class Artifact:
    """One published result of a step."""

    asset: str
    digest: str
    path: Path
    manifest: Mapping[str, Any]
    up_to_date: bool  # True: it was there already, nothing was computed
    repaired: str = ""  # why a damaged one was moved and made again, and its new path; empty if there was none
    waiting: str = ""  # why it is not in the bucket yet; empty if it is, or if there is no bucket


class Store:
    """Artefacts below one local folder, and copies of them elsewhere.

    Args:
        root: the folder.
        copies: where they are besides; nowhere if not given.
    """

    def __init__(self, root: Path, copies: Copies | None = None) -> None:
        self.root = root.absolute()
        self.copies = copies or Copies()

    def digest(self, asset: str, code_version: str, config: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
        """The digest that names a step's artefact: sha256 of canonical JSON of all four.

        Raises:
            ValueError: the asset's name has characters that folders should not have.
        """
        if not _ASSET.fullmatch(asset):
            raise ValueError(f"asset name {asset!r}: use letters, digits, _ and -, with / between parts")
        step = {"asset": asset, "code_version": code_version, "config": dict(config), "inputs": dict(inputs)}
        return digest_of(step)

    def build(
        self,
        asset: str,
        *,
        code_version: str,
        config: Mapping[str, Any],
        inputs: Mapping[str, str],
        build: Build,
    ) -> Artifact:
        """Return the artefact of a step, computing it if it is missing.

        Two processes that need the same artefact compute it once: the second waits and finds it. One that is
        there but damaged is moved to ``.damaged`` (logged as a warning) and made again. Every byte of one that is
        there is verified, once a run (`nrdfer.store.verified`).

        Args:
            asset: name, ``/`` between parts.
            code_version: changed by hand when the step's meaning changes.
            config: resolved settings that the result depends on.
            inputs: name -> digest of everything the step reads.
            build: writes the files into the folder it is given and returns counts for the manifest.

        Raises:
            StoreError: the disk is full or the store cannot be written; nothing was published.
        """
        return self.build_resumable(
            asset,
            code_version=code_version,
            config=config,
            inputs=inputs,
            build=lambda _, out: build(out),
        )

    def build_resumable(
        self,
        asset: str,
        *,
        code_version: str,
        config: Mapping[str, Any],
        inputs: Mapping[str, str],
        build: ResumableBuild,
    ) -> Artifact:
        """As `build`, for steps that continue after a crash.

        `build` is given two folders: a work folder that survives crashes and is removed after publication, and the
        folder of the files to publish.
        """
        digest = self.digest(asset, code_version, config, inputs)
        step = {"code_version": code_version, "config": dict(config), "inputs": dict(inputs)}
        with contextlib.ExitStack() as stack:
            with self._writing(asset):
                stack.enter_context(self._locked(asset, digest))
                disk.make_folder(self.root / asset)
                remove_abandoned(self.root / asset, self._locks, digest)
                found, repaired = self._find(asset, digest)
            if found is None:
                found = replace(self._publish(asset, digest, step, build), repaired=repaired)
            shutil.rmtree(self.workdir(asset, digest), ignore_errors=True)
            # one that was damaged may be so in the bucket, too
            waiting = self.copies.uploaded(asset, digest, found.path, again=bool(repaired) and not found.up_to_date)
            return replace(found, waiting=waiting)

    def is_published(self, asset: str, digest: str) -> bool:
        """Whether there is an undamaged artefact, checked byte by byte; nothing is moved or repaired."""
        path = self.place(asset, digest)
        return (path.is_dir() and not find_problems(path, "full")) or self.copies.has(asset, digest)

    def place(self, asset: str, digest: str) -> Path:
        """Path of an artefact, which need not exist.

        Raises:
            StoreError: these can name none. They may come from a tag, and would lead out of the store.
        """
        if not is_artefact_name(asset, digest):
            raise StoreError(f"{one_line(f'{asset} {digest}'[:_LONGEST])} cannot name an artefact of {self.root}")
        return self.root / asset / digest

    def workdir(self, asset: str, digest: str) -> Path:
        """Folder that an unfinished step uses to continue after a crash; need not exist."""
        return self.root / ".work" / asset / digest

    def open(self, asset: str, digest: str, *, verify: Verify = "full") -> Artifact:
        """An artefact that must exist.

        Args:
            asset: its name.
            digest: its digest.
            verify: ``full`` compares every file's size and sha256 before it is read; ``sizes`` is for callers that only
                report on it.

        Raises:
            StoreError: it is missing or damaged.
        """
        path = self.local_path(asset, digest)
        if not path.is_dir():
            where = self.copies.in_words(self.root)
            raise StoreError(f"artefact {asset} {digest[:12]} is not in {where}; run the step that makes it again")
        problems = find_problems(path, verify)
        if problems and self.copies.forget(asset, digest, path, _named(problems)):
            path = self.local_path(asset, digest)  # fetched again
            problems = find_problems(path, verify)
        if problems:
            raise StoreError(
                f"artefact {path} is damaged ({_named(problems)}); run the step that makes it again, and the damaged "
                "one will be moved away"
            )
        return Artifact(asset, digest, path, read_manifest(path), up_to_date=True)

    def local_path(self, asset: str, digest: str) -> Path:
        """Path at which an artefact can be read on this machine, fetched if only the bucket has it; need not exist.

        Raises:
            StoreError: these can name none; or it cannot be fetched.
        """
        place = self.place(asset, digest)
        with self._writing(asset):
            if place.is_dir():
                return self.copies.nearest(asset, digest, place)
            if self.copies.bucket is None:
                return place
            with self._locked(asset, digest):
                return place if place.is_dir() else self.copies.fetched(asset, digest, place) or place

    def find(self, asset: str) -> list[Artifact]:
        """All undamaged artefacts of an asset, the oldest first; those that only the bucket has are fetched."""
        folder = self.root / asset
        paths = [path for path in folder.iterdir() if _DIGEST.fullmatch(path.name)] if folder.is_dir() else []
        for digest in sorted(set(self.copies.digests(asset)) - {path.name for path in paths}):
            with contextlib.suppress(DamagedCopyError):  # `open` names it
                paths.append(self.local_path(asset, digest))
        whole = [path for path in paths if not find_problems(path)]
        whole.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
        return [Artifact(asset, path.name, path, read_manifest(path), up_to_date=True) for path in whole]

    @property
    def _locks(self) -> Path:
        return self.root / ".locks"

    @contextlib.contextmanager
    def _locked(self, asset: str, digest: str) -> Iterator[None]:
        """Keep others from building or moving an artefact; waits for another holder, and says so once."""
        waiting = f"{asset} {digest[:12]} is being made by another process; waiting for it"
        self._locks.mkdir(parents=True, exist_ok=True)
        with (path := self._locks / f"{digest}.lock").open("a") as handle:
            lock(handle, path, busy=lambda: _log.info("%s", waiting))
            yield  # closing the file releases the lock

    def quarantine(self, asset: str, digest: str) -> Path:
        """Move an artefact to ``.damaged``, where it is no longer found; returns its new path.

        Raises:
            StoreError: it cannot be moved.
        """
        with self._writing(asset), self._locked(asset, digest):
            return self._move_away(asset, digest)

    def _move_away(self, asset: str, digest: str) -> Path:
        moved_to = self.root / DAMAGED / f"{asset.replace('/', '-')}-{digest}-{time.time_ns()}"
        moved_to.parent.mkdir(parents=True, exist_ok=True)
        (self.root / asset / digest).rename(moved_to)
        return moved_to

    def _find(self, asset: str, digest: str) -> tuple[Artifact | None, str]:
        """An existing artefact, or the reason why a damaged one is not used; the caller holds the lock."""
        message, place = "", self.root / asset / digest
        if os.path.lexists(place):
            # the store's own folder is looked at, never a copy: what is wrong with a scratch must not move anything
            problems = find_problems(place, "full") if place.is_dir() else ["it is no folder"]
            if not problems:
                return Artifact(asset, digest, place, read_manifest(place), up_to_date=True), ""
            moved_to = self._move_away(asset, digest)
            message = one_line(
                f"artefact {place} is damaged ({_named(problems)}). It is now in {moved_to} and the step runs again"
            )
            _log.warning("%s", message)
        try:
            path = self.copies.fetched(asset, digest, place)
        except DamagedCopyError as error:
            message = one_line(f"{message} {error} The step runs again".strip())
            _log.warning("%s", message)
            return None, message
        if path is None:
            return None, message
        return Artifact(asset, digest, path, read_manifest(path), up_to_date=True, repaired=message), message

    def _publish(self, asset: str, digest: str, step: Mapping[str, Any], build: ResumableBuild) -> Artifact:
        parent = self.root / asset
        work, temporary = self.workdir(asset, digest), parent / temporary_name(digest)
        started = time.time()
        try:
            with self._writing(asset):
                work.mkdir(parents=True, exist_ok=True)
                temporary.mkdir()
            counts = dict(build(work, temporary))
            with self._writing(asset):
                write_manifest(temporary, {"asset": asset, "digest": digest, **step, "counts": counts}, started)
                disk.sync_tree(temporary)
                temporary.rename(parent / digest)
                sync(parent)
        except StoreError:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        except BaseException as error:
            full, free = disk.is_disk_full(error, parent), disk.free_bytes(parent)
            shutil.rmtree(temporary, ignore_errors=True)
            if full:
                raise StoreError(disk.no_room(error, asset, parent, free)) from error
            raise
        return Artifact(asset, digest, parent / digest, read_manifest(parent / digest), up_to_date=False)

    @contextlib.contextmanager
    def _writing(self, asset: str) -> Iterator[None]:
        """Turn system errors of the store's own writing into a `StoreError`; a step's own errors stay as they are."""
        try:
            yield
        except OSError as error:
            folder = self.root / asset
            if disk.is_disk_full(error, folder):
                raise StoreError(disk.no_room(error, asset, folder, disk.free_bytes(folder))) from error
            raise StoreError(disk.not_writable(error, asset, folder)) from error


def _named(problems: list[str]) -> str:
    more = f"; and {len(problems) - _NAMED} more" if len(problems) > _NAMED else ""
    return "; ".join(problems[:_NAMED]) + more
