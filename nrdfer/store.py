"""The content-addressed store: the only module that knows where artefacts lie.

A step's digest is taken of its code version, its resolved settings and the digests of its inputs. Its files appear
under ``<root>/<asset>/<digest>/`` in one rename, after everything is on disk and ``MANIFEST.json`` (files, bytes,
sha256, counts, provenance) was written last. So an artefact is there whole or not at all, and a step whose artefact
is there has nothing to do. Settings, pointers and the files' meaning do not belong here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from nrdfer.errors import StoreError
from nrdfer.paths import file_lock

MANIFEST = "MANIFEST.json"
_ASSET = re.compile(r"[A-Za-z0-9_\-]+(/[A-Za-z0-9_\-]+)*")
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_log = logging.getLogger(__name__)
Build = Callable[[Path], Mapping[str, Any]]
ResumableBuild = Callable[[Path, Path], Mapping[str, Any]]


def digest_of(value: Any) -> str:
    """sha256 (hex) of a value as canonical JSON; tuples count as lists, key order does not matter."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """sha256 (hex) of a file's content."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class Artifact:
    """One published result of a step."""

    asset: str
    digest: str
    path: Path
    manifest: Mapping[str, Any]
    up_to_date: bool  # True: it was there already, nothing was computed


class Store:
    """Artefacts below one local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def digest(
        self, asset: str, code_version: str, config: Mapping[str, Any], inputs: Mapping[str, str]
    ) -> str:
        """The digest that names a step's artefact."""
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
        """Return the artefact of a step, computing it if it is not there.

        Args:
            asset: name, ``/`` between parts.
            code_version: changed by hand when the step's meaning changes.
            config: resolved settings that the result depends on.
            inputs: name -> digest of everything the step reads.
            build: writes the files into the folder it is given and returns counts for the manifest.

        Raises:
            StoreError: the disk is full; nothing was published.
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
        with file_lock(self.root / ".locks" / f"{digest}.lock"):
            found = self._find(asset, digest)
            if found is not None:
                return found
            return self._publish(asset, digest, step, build)

    def open(self, asset: str, digest: str, *, full: bool = False) -> Artifact:
        """An artefact that must exist.

        Args:
            asset: its name.
            digest: its digest.
            full: compare every file's sha256, not just its size.

        Raises:
            StoreError: it is missing or damaged.
        """
        path = self.root / asset / digest
        if not (path / MANIFEST).is_file():
            raise StoreError(
                f"artefact {asset} {digest[:12]} is not in {self.root}; run the step that makes it again"
            )
        problems = self.problems(path, full=full)
        if problems:
            raise StoreError(
                f"artefact {path} is damaged ({problems[0]}); remove that folder and run the step that makes it again"
            )
        return Artifact(asset, digest, path, json.loads((path / MANIFEST).read_text()), up_to_date=True)

    def problems(self, path: Path, *, full: bool = False) -> list[str]:
        """What is wrong with a published folder: missing files, other sizes, and if `full` other contents."""
        try:
            manifest = json.loads((path / MANIFEST).read_text())
            files: dict[str, Mapping[str, Any]] = manifest["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return [f"{MANIFEST} cannot be read: {error}"]
        found = []
        for name, entry in files.items():
            file = path / name
            if not file.is_file():
                found.append(f"{name} is missing")
            elif file.stat().st_size != entry["bytes"]:
                found.append(f"{name} has {file.stat().st_size} bytes instead of {entry['bytes']}")
            elif full and file_sha256(file) != entry["sha256"]:
                found.append(f"{name} has another content than its sha256 in {MANIFEST}")
        return found

    def _find(self, asset: str, digest: str) -> Artifact | None:
        path = self.root / asset / digest
        if not path.exists():
            return None
        try:
            return self.open(asset, digest)
        except StoreError as error:
            aside = self.root / ".damaged" / f"{asset.replace('/', '-')}-{digest}-{time.time_ns()}"
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.rename(aside)
            _log.warning("%s; moved to %s and made again", error, aside)
            return None

    def _publish(self, asset: str, digest: str, step: Mapping[str, Any], build: ResumableBuild) -> Artifact:
        parent = self.root / asset
        work = self.root / ".work" / asset / digest
        process = psutil.Process()
        temporary = parent / f".tmp-{digest}-{process.pid}-{process.create_time():.2f}"
        started = time.time()
        try:
            work.mkdir(parents=True, exist_ok=True)
            parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(parent)
            temporary.mkdir()
            counts = dict(build(work, temporary))
            files = {
                str(file.relative_to(temporary)): {"bytes": file.stat().st_size, "sha256": file_sha256(file)}
                for file in sorted(temporary.rglob("*"))
                if file.is_file()
            }
            manifest = {
                "asset": asset,
                "digest": digest,
                **step,
                "counts": counts,
                "bytes": sum(entry["bytes"] for entry in files.values()),
                "seconds": round(time.time() - started, 2),
                "files": files,
            }
            (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1))
            _sync_tree(temporary)
            temporary.rename(parent / digest)
            _sync(parent)
        except OSError as error:
            shutil.rmtree(temporary, ignore_errors=True)
            if error.errno in _DISK_FULL:
                raise StoreError(_disk_full_message(error, asset, parent)) from error
            raise
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        shutil.rmtree(work, ignore_errors=True)
        stored = json.loads((parent / digest / MANIFEST).read_text())
        return Artifact(asset, digest, parent / digest, stored, up_to_date=False)


def _disk_full_message(error: OSError, asset: str, folder: Path) -> str:
    free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    return (
        f"no room to write {asset} below {folder}: {error.strerror} ({free:,} bytes free there). Nothing was published. "
        "Free some space, or set NRDFER_HOME to a folder on a larger disk, and run the same line again"
    )


def _remove_abandoned(parent: Path) -> None:
    for folder in parent.glob(".tmp-*"):
        pid, started = folder.name.rsplit("-", 2)[1:]
        try:
            alive = abs(psutil.Process(int(pid)).create_time() - float(started)) < 1.0
        except psutil.NoSuchProcess:
            alive = False
        if not alive:
            shutil.rmtree(folder, ignore_errors=True)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
