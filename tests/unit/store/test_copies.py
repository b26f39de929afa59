"""A store and a bucket: what one machine has made, the next one fetches, whole or not at all."""

from __future__ import annotations

import functools
import http.server
import json
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nrdfer.core.errors import StoreError
from nrdfer.store import MANIFEST, Artifact, Store, remote_requests
from nrdfer.store.copies import Copies
from nrdfer.store.remote import Remote, UnreachableError
from nrdfer.store.sealed import sealed
from nrdfer.store.transfers import DamagedCopyError
from tests.unit.store.buckets import AnyBucket, FolderBucket, S3Bucket, machine
from tests.unit.store.building import Writer, make, visible


def prefix(artifact: Artifact) -> str:
    return f"{artifact.asset}/{artifact.digest}"


def test_another_machine_finds_what_was_made_and_makes_nothing(tmp_path: Path, bucket: AnyBucket) -> None:
    made = make(machine(tmp_path / "one", bucket), Writer())
    assert made.waiting == ""
    assert bucket.objects() == {f"{prefix(made)}/{name}" for name in ("a.bin", "sub/b.txt", MANIFEST)}
    build, second = Writer(), machine(tmp_path / "two", bucket)
    found = make(second, build)
    assert (found.up_to_date, build.runs, dict(found.manifest)) == (True, 0, dict(made.manifest))
    for name in ("a.bin", "sub/b.txt", MANIFEST):
        assert (found.path / name).read_bytes() == (made.path / name).read_bytes()
    assert found.path.is_relative_to(second.root)


def test_an_empty_machine_opens_and_lists_artefacts(tmp_path: Path, bucket: AnyBucket) -> None:
    first = machine(tmp_path / "one", bucket)
    made = [make(first, Writer(), lr=lr) for lr in (1, 2)]
    second = machine(tmp_path / "two", bucket)
    assert second.is_published(made[0].asset, made[0].digest)
    assert visible(tmp_path / "two") == []  # that was asked without fetching anything
    assert second.open(made[0].asset, made[0].digest).path.is_dir()
    assert {artifact.digest for artifact in second.find(made[0].asset)} == {artifact.digest for artifact in made}
    with pytest.raises(StoreError, match=f"is not in .*two and not in {bucket.url}; run the step"):
        second.open(made[0].asset, "0" * 64)
    assert not second.is_published(made[0].asset, "0" * 64)


def test_a_web_server_is_read_and_never_written(tmp_path: Path, folder: FolderBucket) -> None:
    made = make(machine(tmp_path / "one", folder), Writer())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            second = machine(tmp_path / "two", f"http://127.0.0.1:{server.server_port}")
            before = folder.objects()
            assert [artifact.digest for artifact in second.find(made.asset)] == [made.digest]
            own = make(second, Writer(), lr=2)
            assert (own.up_to_date, own.waiting, folder.objects()) == (False, "", before)
        finally:
            server.shutdown()


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def other(data: bytes) -> bytes:
    """A manifest that is sealed as it should be, and says that it is of another step."""
    manifest = json.loads(data)
    del manifest["seal"]
    return sealed({**manifest, "config": {"lr": 99}}).encode()


def climbing(name: str, data: bytes) -> bytes:
    manifest = json.loads(data)
    del manifest["seal"]
    manifest["files"][name] = manifest["files"].pop("a.bin")
    return sealed(manifest).encode()


CHANGED = "other content than when it was written"
DAMAGE: dict[str, tuple[str, Any, str]] = {
    "flipped byte": ("a.bin", flip, "a.bin has other content than its sha256"),
    "cut object": ("a.bin", lambda data: data[:500], "a.bin has 500 bytes instead of 1000"),
    "missing object": ("sub/b.txt", None, "sub/b.txt is missing"),
    "changed manifest": (
        MANIFEST,
        lambda data: data.replace(b"1000", b"1001"),
        "other content than when it was written",
    ),
    "manifest of another artefact": (MANIFEST, other, CHANGED),
    "cut manifest": (MANIFEST, lambda data: data[:100], f"{MANIFEST} cannot be read"),
    "path that climbs": (MANIFEST, functools.partial(climbing, "../../climbed"), "does not list files of its folder"),
    "absolute path": (MANIFEST, functools.partial(climbing, "/climbed"), "does not list files of its folder"),
    "backslashes": (MANIFEST, functools.partial(climbing, "..\\climbed"), "does not list files of its folder"),
    "manifest in itself": (MANIFEST, functools.partial(climbing, MANIFEST), f"{MANIFEST} lists itself"),
    "a file below a file": (MANIFEST, functools.partial(climbing, "sub/b.txt/x"), "sub/b.txt is a file and a folder"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_in_the_bucket_is_refused_by_name(tmp_path: Path, bucket: AnyBucket, kind: str) -> None:
    made = make(machine(tmp_path / "one", bucket), Writer())
    name, change, words = DAMAGE[kind]
    key = f"{prefix(made)}/{name}"
    if change is None:
        bucket.delete(key)
    else:
        bucket.write(key, change(bucket.read(key)))
    second = machine(tmp_path / "two", bucket)
    with pytest.raises(DamagedCopyError) as caught:
        second.open(made.asset, made.digest)
    told = str(caught.value)
    assert words in told
    assert f"{made.asset} {made.digest[:12]} in {bucket.url} is damaged" in told
    assert "nrdfer store push --again dfew/fd1/checkpoint" in told
    assert [path for path in (tmp_path / "two").rglob("*") if path.is_file() and ".locks" not in path.parts] == []
    assert not list(tmp_path.rglob("climbed"))

    build = Writer()  # the step makes it again, and what is in the bucket is replaced
    again = make(second, build)
    assert (build.runs, again.up_to_date, again.waiting) == (1, False, "")
    assert words in again.repaired
    assert make(machine(tmp_path / "three", bucket), build).up_to_date
    assert build.runs == 1


def test_a_bucket_that_is_away_loses_nothing(tmp_path: Path, folder: FolderBucket) -> None:
    store = machine(tmp_path / "one", folder)
    away = folder.folder.with_name("away")

    class Leaves(Writer):
        def __call__(self, out: Path) -> Mapping[str, Any]:
            folder.folder.rename(away)
            folder.folder.write_text("no folder")  # nobody, not even root, can write below it
            return super().__call__(out)

    build = Leaves()
    made = make(store, build)
    assert made.path.is_dir()
    assert f"is in this machine's store, but not yet in {folder.url}" in made.waiting
    assert "nrdfer store push" in made.waiting
    folder.folder.unlink()
    away.rename(folder.folder)
    assert folder.objects() == set()
    found = make(store, build)  # the next start
    assert (found.up_to_date, found.waiting, build.runs) == (True, "", 1)
    assert make(machine(tmp_path / "two", folder), build).up_to_date


def test_an_unreachable_server_is_named_and_no_secret_is(
    tmp_path: Path, s3: S3Bucket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    build = Writer()
    with caplog.at_level(logging.DEBUG), pytest.raises(UnreachableError) as caught:
        make(machine(tmp_path / "one", s3), build)
    assert f"{s3.url} cannot be reached" in str(caught.value)
    assert "AWS_ENDPOINT_URL" in str(caught.value) and "unset NRDFER_STORE_URL" in str(caught.value)
    assert "loopback-secret-of-tests" not in str(caught.value) + "".join(r.getMessage() for r in caplog.records)
    assert build.runs == 0


def test_a_bucket_that_does_not_exist_is_not_an_empty_one(tmp_path: Path, s3: S3Bucket) -> None:
    for url in ("s3://nobodys-bucket/store", f"file://{tmp_path}/nowhere"):
        with pytest.raises(UnreachableError, match=f"{url}: there is no such (bucket|folder); make it, or correct"):
            make(machine(tmp_path / "one", url), Writer())


def test_objects_that_an_interrupted_upload_left_are_kept_if_they_are_right(tmp_path: Path, bucket: AnyBucket) -> None:
    store = machine(tmp_path / "one", bucket)
    made = make(store, Writer())
    bucket.delete(f"{prefix(made)}/{MANIFEST}")
    bucket.write(f"{prefix(made)}/a.bin", b"x" * 1000)  # as long, other content, no note of a sha256
    assert not machine(tmp_path / "two", bucket).is_published(made.asset, made.digest)
    assert make(store, Writer()).waiting == ""
    assert bucket.read(f"{prefix(made)}/a.bin") == b"a" * 1000
    assert machine(tmp_path / "two", bucket).open(made.asset, made.digest).path.is_dir()


def test_a_replacement_that_is_interrupted_is_continued_and_never_taken_for_whole(
    tmp_path: Path, bucket: AnyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine(tmp_path / "one", bucket)
    made = make(first, Writer())
    for name in ("a.bin", "sub/b.txt"):
        bucket.write(f"{prefix(made)}/{name}", flip(bucket.read(f"{prefix(made)}/{name}")))
    put = Remote.put

    def breaks(remote: Remote, path: Path, *rest: Any) -> None:
        if path.name == "b.txt":
            raise UnreachableError("the network is gone")
        put(remote, path, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Remote, "put", breaks)
        assert "not yet in" in first.copies.uploaded(made.asset, made.digest, made.path, again=True)
    assert not machine(tmp_path / "two", bucket).is_published(made.asset, made.digest)
    assert make(first, Writer()).waiting == ""  # the same command again
    assert machine(tmp_path / "two", bucket).open(made.asset, made.digest).path.is_dir()


def test_two_machines_that_upload_at_once_leave_the_files_of_one(
    tmp_path: Path, bucket: AnyBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As trainings do, whose logs hold times: the second uploads while the first has not written its manifest."""

    class Logs(Writer):
        def __init__(self, told: bytes) -> None:
            super().__init__()
            self.told = told

        def __call__(self, out: Path) -> Mapping[str, Any]:
            (out / "log").write_bytes(self.told)
            return super().__call__(out)

    own = [make(Store(tmp_path / name), Logs(name.encode())) for name in ("one", "two")]
    first, second = (Copies(Remote(bucket.url)) for _ in own)
    write = Remote.write

    def late(remote: Remote, key: str, data: bytes) -> None:
        monkeypatch.setattr(Remote, "write", write)
        assert second.uploaded(own[1].asset, own[1].digest, own[1].path) == ""
        write(remote, key, data)

    monkeypatch.setattr(Remote, "write", late)
    assert first.uploaded(own[0].asset, own[0].digest, own[0].path) == ""
    opened = machine(tmp_path / "three", bucket).open(own[0].asset, own[0].digest)
    assert (opened.path / "log").read_bytes() == b"one"


class _Refuses(http.server.BaseHTTPRequestHandler):
    status, requests = 503, 0

    def do_GET(self) -> None:
        type(self).requests += 1
        self.send_error(self.status)

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.mark.parametrize(("status", "waits"), [(503, True), (403, False), (None, True)])
def test_a_web_server_that_fails_is_not_an_empty_one(
    tmp_path: Path, status: int | None, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_STORE_WAIT", "0.5")
    monkeypatch.setattr(remote_requests, "_PAUSE", 0.1)
    handler = type("Refuses", (_Refuses,), {"status": status, "requests": 0})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        if status is not None:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        else:
            server.server_close()  # connections are refused
        try:
            build = Writer()
            with pytest.raises(UnreachableError, match=f"{url} cannot be reached"):
                make(machine(tmp_path / "two", url), build)
        finally:
            if status is not None:
                server.shutdown()
    assert build.runs == 0
    if status is not None:
        assert (handler.requests > 3) == waits  # type: ignore[attr-defined]


def test_a_transfer_that_breaks_on_its_way_is_repeated_and_a_silent_server_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NRDFER_STORE_WAIT", "0.2")
    monkeypatch.setattr(remote_requests, "_PAUSE", 0.01)
    (tmp_path / "bucket").mkdir()
    place = Remote(f"file://{tmp_path}/bucket")
    moved = remote_requests.Moved(lambda done: None)
    attempts: list[bool] = []

    def transfer(arrives: bool) -> str:
        attempts.append(arrives)
        if len(attempts) < 4:
            moved(100, 10 if arrives else 0)
            time.sleep(0.3)  # longer than the wait
            raise ConnectionResetError("peer")
        return "all"

    assert place._reach(lambda: transfer(True), moved) == "all"
    attempts.clear()
    with pytest.raises(UnreachableError):
        place._reach(lambda: transfer(False), moved)
    assert len(attempts) == 2  # the wait begins with the first failure


def test_without_a_bucket_nothing_is_looked_for(tmp_path: Path) -> None:
    assert Store(tmp_path).copies == Copies()


@pytest.mark.parametrize(
    "url",
    ["s3://key:secret-of-mine@bucket/x", "https://me:secret-of-mine@server/x", "s3://bucket/x?token=secret-of-mine",
     "https://server/x?X-Amz-Signature=secret-of-mine", "bucket", "s3://", "ftp://server/x", "file://relative/x"],
)  # fmt: skip
def test_addresses_with_secrets_and_other_kinds_are_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Remote(url)
    assert "secret-of-mine" not in str(caught.value)
    assert "give" in str(caught.value)
