"""All artefacts of a store and a bucket at once: what is where, upload of what is missing, verification of the bucket.

Keep here: walks over many artefacts. Keep out: the transfer of one (``transfers``), what commands print.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nrdfer.core import paths
from nrdfer.core.errors import StoreError
from nrdfer.core.progress import Progress
from nrdfer.core.state_files import MOST_BYTES, read_bounded
from nrdfer.store.artifacts import Store, is_artefact_name
from nrdfer.store.copies import URL, state_key
from nrdfer.store.manifest import MANIFEST, find_problems
from nrdfer.store.remote import Remote
from nrdfer.store.transfers import DamagedCopyError, remote_manifest, upload
from nrdfer.store.verify import Verdict, artefacts

STATE = ("pointers", "reports")  # folders of pointers, below the project's


@dataclass(frozen=True)
class Where:
    """Where one artefact is."""

    asset: str
    digest: str
    here: bool
    in_bucket: bool


def bucket_of(store: Store, *, to_write: bool = False) -> Remote:
    """The bucket of a store.

    Raises:
        StoreError: there is none, or it can only be read.
    """
    bucket = store.copies.bucket
    if bucket is None:
        raise StoreError(f"no bucket is named; set {URL} to its address, e.g. s3://bucket/prefix")
    if to_write and bucket.read_only:
        raise StoreError(f"{bucket.address} can only be read; give {URL} an address that can be written, e.g. s3://...")
    return bucket


def whereabouts(store: Store) -> list[Where]:
    """Every artefact of the store and the bucket, by name; in the bucket is what has a manifest there."""
    here = {(asset, path.name) for asset, path in artefacts(store.root)}
    there = set(_in_bucket(bucket_of(store)))
    return [Where(asset, digest, (asset, digest) in here, (asset, digest) in there) for asset, digest in
            sorted(here | there)]  # fmt: skip


def push(store: Store, only: str = "", *, again: bool = False, progress: Progress | None = None) -> Iterator[Verdict]:
    """Upload what the bucket lacks, then the pointers; damaged artefacts are reported and left out.

    Args:
        store: whose artefacts.
        only: the name of an asset; all if empty.
        again: replace what is there.
        progress: called with (artefacts done, artefacts in all).

    Yields:
        What was uploaded, or is damaged here.

    Raises:
        UnreachableError: the bucket does not answer; what is uploaded stays.
    """
    bucket = bucket_of(store, to_write=True)
    found = [(asset, path) for asset, path in artefacts(store.root) if only in ("", asset)]
    for k, (asset, path) in enumerate(found):
        if progress is not None:
            progress(k, len(found))
        problems = tuple(find_problems(path, "full"))
        if problems or upload(bucket, path, asset, path.name, again=again):
            yield Verdict(asset, path.name, path, 0, problems)
    if not only:
        _push_pointers(bucket)


def _push_pointers(bucket: Remote) -> None:
    for root in STATE:
        folder = paths.home() / root
        for path in sorted(folder.rglob("*.json")) if folder.is_dir() else []:
            if ".damaged" not in path.parts:
                bucket.write(state_key(path.parent, path.stem), read_bounded(path, MOST_BYTES))


def verify_bucket(bucket: Remote) -> Iterator[Verdict]:
    """Verify every object of every artefact in a bucket, read as a stream; nothing is kept or changed."""
    for asset, digest in sorted(_in_bucket(bucket)):
        place = Path(asset) / digest
        try:
            found = remote_manifest(bucket, asset, digest)
        except DamagedCopyError as error:
            yield Verdict(asset, digest, place, 0, (str(error),))
            continue
        if found is None:  # removed since it was listed
            continue
        sizes, problems = bucket.sizes(place.as_posix()), []
        for name, entry in found[1]["files"].items():
            if name not in sizes:
                problems.append(f"{name} is missing")
            elif sizes[name] not in (None, entry["bytes"]):
                problems.append(f"{name} has {sizes[name]} bytes instead of {entry['bytes']}")
            elif bucket.content_sha256(f"{asset}/{digest}/{name}") != entry["sha256"]:
                problems.append(f"{name} has other content than its sha256 in {MANIFEST}")
        yield Verdict(asset, digest, place, found[1]["bytes"], tuple(problems))


def _in_bucket(bucket: Remote) -> Iterator[tuple[str, str]]:
    """Asset and digest of every object that is an artefact's manifest."""
    for key in bucket.sizes(""):
        folder, _, name = key.rpartition("/")
        asset, _, digest = folder.rpartition("/")
        if name == MANIFEST and is_artefact_name(asset, digest):
            yield asset, digest
