"""One S3 server for all tests of the store, and a bucket of each kind for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.s3_server import S3Server
from tests.unit.store.buckets import AnyBucket, FolderBucket, S3Bucket


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3") / "server.log")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@pytest.fixture
def s3(s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Bucket:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NRDFER_STORE_WAIT", "0")
    return S3Bucket(s3_server, tmp_path.name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderBucket:
    monkeypatch.setenv("NRDFER_STORE_WAIT", "0")
    return FolderBucket(tmp_path / "bucket")


@pytest.fixture(params=["s3", "folder"])
def bucket(request: pytest.FixtureRequest) -> AnyBucket:
    found: AnyBucket = request.getfixturevalue(request.param)
    return found
