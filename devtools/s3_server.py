"""A real S3 server (moto) on 127.0.0.1, in a process of its own, for tests, trials, benchmarks and ``make cluster``.

Its objects are in memory; it can be killed and started again, empty. ``python -m devtools.s3_server PORT`` serves until
it is ended. Keep out: what is stored in it.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devtools.tracking_server import free_port
from nrdfer.core.processes import die_with_parent

BUCKET = "artefacts"


class S3Server:
    """A server with an empty bucket or several; its port stays the same.

    Args:
        log: file that gets what it writes.
        buckets: names; `BUCKET` if there are none.
    """

    def __init__(self, log: Path, *buckets: str) -> None:
        self.port, self._log, self._buckets = free_port(), log, buckets or (BUCKET,)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.url = f"s3://{self._buckets[0]}/store"
        self.secret = secrets.token_urlsafe(24)  # any will do for it, but the provider's own library wants one
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a program reaches it, as the provider's library and MLflow read them."""
        return {
            "AWS_ACCESS_KEY_ID": "loopback-key",
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",  # nobody else is asked for credentials
            "AWS_ENDPOINT_URL": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
        }

    def start(self) -> None:
        """Start it, and wait until it has its buckets.

        Raises:
            RuntimeError: it does not start; with the end of its log.
        """
        line = [sys.executable, "-m", "devtools.s3_server", str(self.port)]
        with self._log.open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603
                line, cwd=Path(__file__).resolve().parents[1], stdout=said, stderr=said, start_new_session=True,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        for _ in range(600):
            try:
                for bucket in self._buckets:
                    self.client().create_bucket(Bucket=bucket)
                return
            except Exception:
                if self._process.poll() is not None:
                    break
                time.sleep(0.2)
        self.kill()
        raise RuntimeError(f"the S3 server did not start: {self._log.read_text()[-2000:]}")

    def client(self) -> Any:
        """A client of boto3, which shares no code with what is tested but the protocol."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.secret,
            region_name=self.environment["AWS_DEFAULT_REGION"],
            config=Config(retries={"max_attempts": 1}, connect_timeout=2, proxies={}),
        )

    def keys(self, prefix: str = "") -> dict[str, int]:
        """Bytes of every object of the first bucket whose name begins so."""
        found: dict[str, int] = {}
        for page in self.client().get_paginator("list_objects_v2").paginate(Bucket=self._buckets[0], Prefix=prefix):
            found |= {entry["Key"]: int(entry["Size"]) for entry in page.get("Contents", [])}
        return found

    def kill(self) -> None:
        """SIGKILL; all that it held is lost."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def s3_server(log: Path, *buckets: str) -> Iterator[S3Server]:
    """A running server, which ends at the end, or with this process."""
    server = S3Server(log, *buckets)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def main() -> None:
    """Serve on loopback until ended."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
    server.start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
