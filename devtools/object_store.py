"""An object store that speaks S3 on 127.0.0.1, in a process of its own: moto's server, for tests and ``make cluster``.

Its objects are in memory and end with it. Keep out: what is stored in it.
"""

from __future__ import annotations

import contextlib
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

from devtools.tracking_server import free_port
from nrdfer.core.processes import die_with_parent

_PATIENCE = 120.0


@dataclass
class ObjectStore:
    """A running store: its address and the keys that clients use."""

    port: int
    process: subprocess.Popen[bytes]
    access_key: str = "nrdfer"
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)

    @property
    def url(self) -> str:
        """Its address, without keys."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which boto3, s3fs and MLflow find it."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "MLFLOW_S3_ENDPOINT_URL": self.url,
        }

    def keys(self, bucket: str) -> list[str]:
        """Names of the objects in a bucket."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        self._client().create_bucket(Bucket=bucket)

    def _client(self):  # type: ignore[no-untyped-def]
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )  # fmt: skip


@contextlib.contextmanager
def object_store(*buckets: str) -> Iterator[ObjectStore]:
    """A store with these buckets, which ends at the end, or with this process."""
    port = free_port()
    line = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(  # noqa: S603
        line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    store = ObjectStore(port, process)
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _answers(store):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("moto's server did not start; pip install 'moto[s3]' flask flask-cors")
            time.sleep(0.2)
        for name in buckets:
            store.make(name)
        yield store
    finally:
        process.send_signal(signal.SIGKILL)  # nothing of it outlives its process anyway
        process.wait()


def _answers(store: ObjectStore) -> bool:
    try:
        urllib.request.urlopen(f"{store.url}/moto-api/", timeout=2).close()  # noqa: S310 - our own
    except (OSError, urllib.error.URLError):
        return False
    return True
