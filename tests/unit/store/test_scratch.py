"""The cache on a disk of one machine: bounded, the least recently used go first, none that is in use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.store import MANIFEST, Artifact, Store
from nrdfer.store import scratch as scratch_module
from nrdfer.store.copies import Copies, copies_of_environment
from nrdfer.store.remote import Remote
from nrdfer.store.scratch import Scratch, bytes_of
from tests.unit.store.buckets import AnyBucket, FolderBucket, machine
from tests.unit.store.building import Writer, make

SIZE = 1001  # bytes of an artefact of `Writer`

READS = """
import os, sys
from pathlib import Path
from nrdfer.store import Store
from nrdfer.store.copies import Copies
from nrdfer.store.remote import Remote
from nrdfer.store.scratch import Scratch
root, url, scratch, limit, asset, *digests = sys.argv[1:]
store = Store(Path(root), Copies(Remote(url), Scratch(Path(scratch), int(limit) or None)))
for digest in digests:
    found = store.open(asset, digest)
    assert (found.path / "a.bin").read_bytes() == b"a" * 1000
print("open", flush=True)
sys.stdin.read()
"""


def reads(tmp_path: Path, bucket: AnyBucket, limit: int, *made: Artifact) -> subprocess.Popen[str]:
    """A process that has artefacts of the scratch open until its input ends."""
    line = [sys.executable, "-c", READS, str(tmp_path / "two"), bucket.url, str(tmp_path / "scratch"), str(limit)]
    line += [made[0].asset, *(artifact.digest for artifact in made)]
    return subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate("", timeout=120)
    return errors.strip().rpartition("\n")[2]


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "scratch/dfew/fd1/checkpoint").glob("[0-9a-f]*")}


@pytest.fixture
def made(tmp_path: Path, folder: FolderBucket) -> list[Artifact]:
    store = machine(tmp_path / "one", folder)
    return [make(store, Writer(), lr=lr) for lr in range(3)]


def test_fetched_artefacts_are_in_the_scratch_and_not_in_the_store(tmp_path: Path, bucket: AnyBucket) -> None:
    artifact = make(machine(tmp_path / "one", bucket), Writer())
    store = machine(tmp_path / "two", bucket, tmp_path / "scratch")
    found = store.open(artifact.asset, artifact.digest)
    assert found.path == tmp_path / "scratch" / artifact.asset / artifact.digest
    assert not (tmp_path / "two" / artifact.asset / artifact.digest).exists()
    assert make(store, Writer()).path == found.path


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, bucket: AnyBucket, caplog: pytest.LogCaptureFixture) -> None:
    artifact = make(machine(tmp_path / "one", bucket), Writer())
    store = machine(tmp_path / "two", bucket, tmp_path / "scratch")
    path = store.open(artifact.asset, artifact.digest).path
    (path / "a.bin").write_bytes(b"b" * 1000)
    assert (store.open(artifact.asset, artifact.digest).path / "a.bin").read_bytes() == b"a" * 1000
    assert "a.bin has other content" in caplog.text and "it is fetched again" in caplog.text


def test_the_least_recently_used_goes_first(tmp_path: Path, folder: FolderBucket, made: list[Artifact]) -> None:
    for k in (0, 1, 0, 2):  # 1 is the one that nobody has used for longest when 2 needs room
        assert end(reads(tmp_path, folder, 2 * SIZE, made[k])) == ""
    assert kept(tmp_path) == {made[0].digest, made[2].digest}


def test_one_in_use_is_never_removed(tmp_path: Path, folder: FolderBucket, made: list[Artifact]) -> None:
    reader = reads(tmp_path, folder, 2 * SIZE, made[0])
    assert reader.stdout is not None and reader.stdout.readline() == "open\n"
    assert end(reads(tmp_path, folder, 2 * SIZE, made[1])) == ""
    assert end(reads(tmp_path, folder, 2 * SIZE, made[2])) == ""
    assert kept(tmp_path) == {made[0].digest, made[2].digest}
    told = end(reads(tmp_path, folder, 2 * SIZE, made[1], made[2]))
    assert "has no room for dfew/fd1/checkpoint (1,001 bytes): NRDFER_SCRATCH_LIMIT is 2,002 bytes" in told
    assert end(reader) == ""
    assert end(reads(tmp_path, folder, 2 * SIZE, made[1], made[2])) == ""


def test_several_processes_fetch_one_artefact_once(tmp_path: Path, folder: FolderBucket, made: list[Artifact]) -> None:
    readers = [reads(tmp_path, folder, 0, *made) for _ in range(3)]
    for reader in readers:  # none waits for the end of another
        assert reader.stdout is not None and reader.stdout.readline() == "open\n"
    assert [end(reader) for reader in readers] == ["", "", ""]
    assert kept(tmp_path) == {artifact.digest for artifact in made}
    assert not list((tmp_path / "scratch").rglob(".fetch-*"))


def test_what_a_killed_process_left_is_removed_or_used(
    tmp_path: Path, folder: FolderBucket, made: list[Artifact]
) -> None:
    parent = tmp_path / "scratch" / made[0].asset
    half, gone = parent / f".fetch-{made[0].digest}", parent / f".gone-{made[1].digest}-7"
    for place in (half, gone):
        place.mkdir(parents=True)
        (place / "a.bin").write_bytes(b"a" * 900)
    assert end(reads(tmp_path, folder, SIZE, made[2])) == ""
    assert kept(tmp_path) == {made[2].digest}
    assert not half.exists() and not gone.exists()


def test_a_copy_that_a_user_removed_is_fetched_again(
    tmp_path: Path, folder: FolderBucket, made: list[Artifact]
) -> None:
    store = machine(tmp_path / "two", folder, tmp_path / "scratch")
    shutil.rmtree(store.open(made[0].asset, made[0].digest).path)
    assert (store.open(made[0].asset, made[0].digest).path / "a.bin").is_file()


def test_shards_of_a_slow_store_are_copied_if_asked_for(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "scratch", None)
    shards = make(Store(tmp_path / "one"), Writer(), "dfew/shards")
    others = make(Store(tmp_path / "one"), Writer())
    asked = Store(tmp_path / "one", Copies(None, scratch, copies_shards=True))
    assert asked.open(shards.asset, shards.digest).path == tmp_path / "scratch/dfew/shards" / shards.digest
    assert asked.open(others.asset, others.digest).path == others.path
    not_asked = Store(tmp_path / "one", Copies(None, scratch))
    assert not_asked.open(shards.asset, shards.digest).path == shards.path


@pytest.mark.parametrize("why", ["too small", "read-only", "odd path"])
def test_a_scratch_that_cannot_hold_shards_moves_and_repeats_nothing(
    tmp_path: Path, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / ("a@b?c#d" if why == "odd path" else "one")
    build = Writer()
    shards = make(Store(root), build, "dfew/shards")
    if why == "read-only":
        (tmp_path / "scratch").write_text("no folder")
    scratch = Scratch(tmp_path / "scratch", 100 if why == "too small" else None)
    asked = Store(root, Copies(None, scratch, copies_shards=True))
    again = make(asked, build, "dfew/shards")
    assert (again.up_to_date, build.runs, again.path) == (True, 1, shards.path)
    opened = asked.open(shards.asset, shards.digest).path
    if why == "odd path":
        assert opened.is_relative_to(tmp_path / "scratch")
    else:
        assert opened == shards.path
        assert f"is read from {shards.path}, not from a copy" in caplog.text
    assert not (root / ".damaged").exists()


def test_shards_that_missed_their_upload_are_uploaded_although_a_copy_is_read(
    tmp_path: Path, folder: FolderBucket
) -> None:
    shards = make(Store(tmp_path / "one"), Writer(), "dfew/shards")  # made while the bucket was away
    copies = Copies(Remote(folder.url), Scratch(tmp_path / "scratch", None), copies_shards=True)
    store = Store(tmp_path / "one", copies)
    assert store.open(shards.asset, shards.digest).path.is_relative_to(tmp_path / "scratch")
    assert make(store, Writer(), "dfew/shards").waiting == ""
    assert f"dfew/shards/{shards.digest}/{MANIFEST}" in folder.objects()


def test_a_full_disk_without_a_limit_makes_room_and_is_named_when_it_cannot(
    tmp_path: Path, folder: FolderBucket, made: list[Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 2 * SIZE + 10_000  # two artefacts with their manifests

    def free(root: Path) -> int:
        return room - sum(path.stat().st_size for path in root.rglob("*") if path.is_file())

    monkeypatch.setattr(scratch_module.disk, "free_bytes", free)
    for artifact in made[:2]:
        assert end(reads(tmp_path, folder, 0, artifact)) == ""
    monkeypatch.setattr(scratch_module.disk, "free_bytes", lambda root: free(root) - 9_000)
    store = machine(tmp_path / "two", folder, tmp_path / "scratch")
    assert store.open(made[2].asset, made[2].digest).path.is_dir()
    assert made[2].digest in kept(tmp_path) and made[0].digest not in kept(tmp_path)
    monkeypatch.setattr(scratch_module.disk, "free_bytes", lambda root: 10)
    with pytest.raises(StoreError, match=r"no room on the disk of .*scratch for dfew/fd1/checkpoint .*NRDFER_SCRATCH"):
        store.open(made[0].asset, made[0].digest)
    assert not list((tmp_path / "scratch").rglob(".fetch-*"))


@pytest.mark.parametrize(
    ("text", "amount"), [("50G", 50 * 10**9), ("1.5m", 1_500_000), ("7", 7), ("2 TB", 2 * 10**12), ("3k", 3000)]
)
def test_amounts(text: str, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize("text", ["", "much", "-1G", "0", "5X", "1e9", "G"])
def test_other_words_are_no_amounts(text: str) -> None:
    with pytest.raises(StoreError, match="NRDFER_SCRATCH_LIMIT="):
        bytes_of(text)


def test_the_environment_names_bucket_and_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert copies_of_environment() == Copies()
    values: dict[str, Any] = {
        "NRDFER_STORE_URL": "s3://bucket/prefix/", "NRDFER_SCRATCH": str(tmp_path), "NRDFER_SCRATCH_LIMIT": "1k",
        "NRDFER_SCRATCH_SHARDS": "1",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    found = copies_of_environment()
    assert found.bucket is not None and found.bucket.address == "s3://bucket/prefix"
    assert found.scratch is not None and (found.scratch.root, found.scratch.limit) == (tmp_path, 1000)
    assert found.copies_shards
    assert not any(tmp_path.iterdir())
