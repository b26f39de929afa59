"""Buckets of tests: one of a real S3 server, or a folder; looked into by other means than those that are tested."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from devtools.s3_server import BUCKET, S3Server
from nrdfer.store import Store
from nrdfer.store.copies import Copies
from nrdfer.store.remote import Remote
from nrdfer.store.scratch import Scratch


class FolderBucket:
    """A folder that several machines see."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.url = folder, f"file://{folder}"

    def objects(self) -> set[str]:
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}

    def read(self, key: str) -> bytes:
        return (self.folder / key).read_bytes()

    def write(self, key: str, data: bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def delete(self, key: str) -> None:
        (self.folder / key).unlink()


class S3Bucket:
    """A prefix of the server's bucket."""

    def __init__(self, server: S3Server, prefix: str) -> None:
        self._client: Any = server.client()
        self._server, self._prefix, self.url = server, f"{prefix}/", f"s3://{BUCKET}/{prefix}"

    def objects(self) -> set[str]:
        return {key.removeprefix(self._prefix) for key in self._server.keys(self._prefix)}

    def read(self, key: str) -> bytes:
        return bytes(self._client.get_object(Bucket=BUCKET, Key=self._prefix + key)["Body"].read())

    def write(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=BUCKET, Key=self._prefix + key, Body=data)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=BUCKET, Key=self._prefix + key)


AnyBucket = FolderBucket | S3Bucket


def machine(root: Path, bucket: AnyBucket | str, scratch: Path | None = None, limit: int | None = None) -> Store:
    """The store of a machine that uses a bucket."""
    url = bucket if isinstance(bucket, str) else bucket.url
    return Store(root, Copies(Remote(url), None if scratch is None else Scratch(scratch, limit)))
