"""A real ``mlflow server`` on localhost that is killed and started again over the same database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class TrackingServer:
    """A server whose port stays the same.

    Args:
        folder: of its log, its database and its files.
        backend: address of another database, which is not put on the command line.
        artifacts: another place of the files, for example in an object store.
        more: variables of its environment.
    """

    def __init__(
        self, folder: Path, backend: str | None = None, artifacts: str | None = None, more: dict[str, str] | None = None
    ) -> None:
        self.folder, self.port = folder, free_port()
        self._backend = backend or f"sqlite:///{folder / 'mlflow.db'}"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._more = more or {}
        self.uri = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers; nothing if it runs."""
        if self._process is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        line = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        line += ["--workers", "1", "--artifacts-destination", self._artifacts]
        quiet = {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_BACKEND_STORE_URI": self._backend,
            **self._more,
        }
        # what this environment's activation says of the project's own store would be taken for this server's settings
        others = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        with (self.folder / "server.log").open("ab") as said:
            self._process = subprocess.Popen(  # noqa: S603
                line, cwd=self.folder, env=others | quiet, stdout=said, stderr=said, start_new_session=True
            )
        for _ in range(600):
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=2):  # noqa: S310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.kill()
        raise RuntimeError(f"the MLflow server did not start: {(self.folder / 'server.log').read_text()[-2000:]}")

    def kill(self) -> None:
        """SIGKILL for it and all its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
