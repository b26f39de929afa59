"""Artefacts in a bucket: uploaded with the manifest last, fetched and compared with it byte for byte.

Objects are named as the store names files, ``<asset>/<digest>/<file>``; an artefact is there once its ``MANIFEST.json``
is. Nothing from there is trusted: a manifest is held against its seal and its digest, its files' names are checked
before they become paths, their content is compared with the manifest. When this is done, and the place of the copy,
belong to ``copies``.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from nrdfer.core.disk import sync_tree
from nrdfer.core.errors import StoreError
from nrdfer.core.plain_text import one_line
from nrdfer.core.progress import Progress
from nrdfer.store.entries import problem_of
from nrdfer.store.manifest import MANIFEST, MOST_BYTES, parse_manifest, read_manifest
from nrdfer.store.remote import Remote

_AT_ONCE = 4  # transfers; each of S3 has up to two parts in memory
_EVERY = 10.0  # seconds between two lines of the log
_log = logging.getLogger(__name__)


class DamagedCopyError(StoreError):
    """An artefact in the bucket is not what its manifest, or its digest, says."""


def remote_manifest(remote: Remote, asset: str, digest: str) -> tuple[bytes, dict[str, Any]] | None:
    """Text and content of an artefact's manifest in the bucket; None if it is not there.

    Raises:
        DamagedCopyError: it was changed, is of another artefact, or names files that lead elsewhere.
        UnreachableError: the bucket does not answer.
    """
    try:
        text = remote.read(f"{asset}/{digest}/{MANIFEST}", MOST_BYTES)
        if text is None:
            return None
        manifest = parse_manifest(text, digest)
    except ValueError as error:
        raise _damaged(remote, asset, digest, str(error)) from None
    if MANIFEST in manifest["files"]:
        raise _damaged(remote, asset, digest, f"{MANIFEST} lists itself")
    folders = {folder.as_posix() for name in manifest["files"] for folder in PurePosixPath(name).parents}
    if both := sorted(folders & manifest["files"].keys()):
        raise _damaged(remote, asset, digest, f"{both[0]} is a file and a folder in {MANIFEST}")
    return text, manifest


def upload(
    remote: Remote, folder: Path, asset: str, digest: str, *, again: bool = False, progress: Progress | None = None
) -> bool:
    """Upload a whole artefact unless it is there; returns whether anything was.

    What an interrupted upload left is continued, file by file: an object of the right size whose note of the sha256 is
    right stays. What is to be replaced is removed first, the manifest before all others, so that an interrupted
    replacement is such an upload, too.

    Args:
        remote: where to.
        folder: of the artefact, verified by the caller.
        asset: its name.
        digest: its digest.
        again: replace objects that are there already, whatever they hold.
        progress: called with (bytes, bytes in all).

    Raises:
        UnreachableError: the bucket does not answer; what was not uploaded has no manifest there.
    """
    manifest = read_manifest(folder)
    if not again and _is_there(remote, asset, digest):
        return False
    prefix = f"{asset}/{digest}"
    if again:
        remote.remove(f"{prefix}/{MANIFEST}")
        for name in remote.sizes(prefix):
            remote.remove(f"{prefix}/{name}")
    there = remote.sizes(prefix)
    meter = _Meter(f"uploading {asset} {digest[:12]}", manifest["bytes"], progress)
    stamps: dict[str, str] = {}

    def put(name: str, entry: Mapping[str, Any]) -> None:
        key = f"{prefix}/{name}"
        if there.get(name) != entry["bytes"] or remote.recorded_sha256(key) != entry["sha256"]:
            remote.put(folder / name, key, entry["sha256"], lambda count: meter.see(name, count))
        stamps[name] = remote.stamp(key)
        meter.see(name, entry["bytes"])

    def keep(name: str, entry: Mapping[str, Any]) -> None:
        """Put a file again that another machine, which uploaded its own at the same time, has replaced."""
        key = f"{prefix}/{name}"
        # whose manifest is there has its files there, too
        if remote.is_replaced(key, entry["sha256"], stamps[name]) and _reads(remote, f"{prefix}/{MANIFEST}") == text:
            remote.put(folder / name, key, entry["sha256"])

    text = (folder / MANIFEST).read_bytes()
    _each(put, manifest["files"].items())
    remote.write(f"{prefix}/{MANIFEST}", text)
    _each(keep, manifest["files"].items())
    return True


def _reads(remote: Remote, key: str) -> bytes | None:
    try:
        return remote.read(key, MOST_BYTES)
    except ValueError:
        return None


def _is_there(remote: Remote, asset: str, digest: str) -> bool:
    try:
        return remote_manifest(remote, asset, digest) is not None
    except DamagedCopyError as error:
        _log.warning("%s", one_line(f"{error} It is uploaded again"))
        return False


def fetch(
    remote: Remote, asset: str, digest: str, temporary: Path, reserve: Callable[[int], object] = lambda _: None
) -> bool:
    """Fill a temporary folder with an artefact; False if the bucket does not have it. The caller renames the folder.

    Files that an interrupted call left there are kept if they are as the manifest says.

    Args:
        remote: where from.
        asset: its name.
        digest: its digest.
        temporary: of this artefact alone, locked by the caller.
        reserve: called with the bytes to come, after the manifest is in the folder; raises if there is no room.

    Raises:
        DamagedCopyError: see `remote_manifest`; or a file is missing, cut, or has other content. Nothing is left.
        UnreachableError: the bucket does not answer; what has arrived stays for the next call.
        OSError: this machine's disk is full or not writable.
    """
    found = remote_manifest(remote, asset, digest)
    if found is None:
        return False
    text, manifest = found
    temporary.mkdir(parents=True, exist_ok=True)
    (temporary / MANIFEST).write_bytes(text)
    try:
        reserve(manifest["bytes"])
        meter = _Meter(f"fetching {asset} {digest[:12]}", manifest["bytes"], None)

        def get(name: str, entry: Mapping[str, Any]) -> None:
            if problem_of(temporary, name, entry, MANIFEST) is not None:
                _get(remote, (asset, digest, name), temporary / name, lambda count: meter.see(name, count))
                if problem := problem_of(temporary, name, entry, MANIFEST):
                    raise _damaged(remote, asset, digest, problem)
            meter.see(name, entry["bytes"])

        _each(get, manifest["files"].items())
        _remove_others(temporary, manifest["files"])
        sync_tree(temporary)
    except DamagedCopyError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return True


def _get(remote: Remote, name: tuple[str, str, str], path: Path, seen: Callable[[int], None]) -> None:
    asset, digest, file = name
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        remote.get("/".join(name), path, seen)
    except FileNotFoundError:
        raise _damaged(remote, asset, digest, f"{one_line(file)} is missing") from None


def _remove_others(folder: Path, files: Mapping[str, Any]) -> None:
    """Remove what an earlier manifest of the same digest listed, and this one does not."""
    listed = {*files, MANIFEST}
    for path in folder.rglob("*"):
        if not path.is_dir() and path.relative_to(folder).as_posix() not in listed:
            path.unlink()


def _damaged(remote: Remote, asset: str, digest: str, problem: str) -> DamagedCopyError:
    return DamagedCopyError(
        f"artefact {asset} {digest[:12]} in {remote.address} is damaged ({one_line(problem)}). Upload it again from a "
        f"machine that has it (nrdfer store push --again {asset}), or run the step that makes it again."
    )


def _each(work: Callable[[str, Mapping[str, Any]], None], items: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Work on all files, some at once; the first error ends it, after those that have begun."""
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="artefact")
    try:
        for _ in pool.map(lambda item: work(*item), items):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


class _Meter:
    """Bytes transferred of all files together, in the log at intervals."""

    def __init__(self, what: str, total: int, progress: Progress | None) -> None:
        self._what, self._total, self._progress = what, total, progress
        self._counts: dict[str, int] = {}
        self._done = 0
        self._guard, self._last = threading.Lock(), time.monotonic()

    def see(self, name: str, count: int) -> None:
        with self._guard:
            self._done += count - self._counts.get(name, 0)
            self._counts[name] = count
            if self._progress is not None:
                self._progress(self._done, self._total)
            if time.monotonic() - self._last >= _EVERY:
                self._last = time.monotonic()
                _log.info("%s", f"{self._what}: {self._done / 1e6:,.1f} of {self._total / 1e6:,.1f} MB")
