"""A real S3 server (moto) on localhost, in a process of its own that can be killed and started again, empty.

``python -m devtools.s3_server PORT`` serves until it is ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from devtools.tracking_server import free_port

BUCKET = "artefacts"
#: Any will do for it, but the provider's own library refuses to go without.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "loopback-key",
    "AWS_SECRET_ACCESS_KEY": "loopback-secret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class S3Server:
    """A server with one empty bucket; its port stays the same."""

    def __init__(self, log: Path) -> None:
        self.port, self._log = free_port(), log
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.url = f"s3://{BUCKET}/store"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a program reaches it, as the provider's library reads them."""
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    def start(self) -> None:
        """Start it, and wait until it has a bucket."""
        line = [sys.executable, "-m", "devtools.s3_server", str(self.port)]
        with self._log.open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603
                line, cwd=Path(__file__).resolve().parents[1], stdout=said, stderr=said, start_new_session=True
            )
        client = self.client()
        for _ in range(600):
            try:
                client.create_bucket(Bucket=BUCKET)
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
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            config=Config(retries={"max_attempts": 1}, connect_timeout=2, proxies={}),
        )

    def keys(self, prefix: str = "") -> dict[str, int]:
        """Bytes of every object whose name begins so."""
        found: dict[str, int] = {}
        for page in self.client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix):
            found |= {entry["Key"]: int(entry["Size"]) for entry in page.get("Contents", [])}
        return found

    def kill(self) -> None:
        """SIGKILL; all that it held is lost."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def main() -> None:
    """Serve on loopback until ended."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=int(sys.argv[1]), verbose=False)
    server.start()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
