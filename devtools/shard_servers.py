"""Servers of a folder of shards on the loopback interface, for tests, chaos and benchmarks: HTTP with faults, and S3.

The first runs in threads of this process, the second in a process of its own; both serve real connections.
"""

from __future__ import annotations

import contextlib
import http.server
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from devtools.s3_server import s3_server

_BUCKET = "shards"
#: A fault of one answer: a status instead of it, ("cut", bytes) after which it breaks off, or a content type.
Fault = int | tuple[str, int] | str


class FolderServer(http.server.ThreadingHTTPServer):
    """Serves files with ranges; `faults` of a file are used up one answer at a time, then it is served whole."""

    daemon_threads = True

    def __init__(self, folder: Path, *, ranges: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.ranges = folder, ranges
        self.faults: dict[str, list[Fault]] = {}
        self.cuts_allowed = threading.Event()  # a connection to be cut stays open until this is set
        self.cuts_allowed.set()
        self.seen: list[tuple[str, str]] = []  # names asked for, and their ranges

    @property
    def address(self) -> str:
        """Of the folder."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FolderServer

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        name, wanted = self.path.strip("/"), self.headers.get("Range", "")
        self.server.seen.append((name, wanted))
        faults = self.server.faults.get(name, [])
        fault = faults.pop(0) if faults else None
        path = self.server.folder / name
        if isinstance(fault, int) or not path.is_file():
            self.send_error(fault if isinstance(fault, int) else 404)
            return
        data = path.read_bytes()
        begin = int(wanted.removeprefix("bytes=").partition("-")[0]) if wanted and self.server.ranges else 0
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Type", fault if isinstance(fault, str) else "application/x-tar")
        self.send_header("Content-Length", str(len(data) - begin))
        self.end_headers()
        end = begin + fault[1] if isinstance(fault, tuple) else len(data)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(data[begin:end])
        if isinstance(fault, tuple):
            self.server.cuts_allowed.wait()
        self.close_connection = True


@contextlib.contextmanager
def serve_folder(folder: Path, *, ranges: bool = True) -> Iterator[FolderServer]:
    """Serve a folder over HTTP."""
    with FolderServer(folder, ranges=ranges) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serve_s3(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve a folder's files from a bucket of an S3 server; yields its address and the variables that reach it."""
    with tempfile.NamedTemporaryFile(suffix=".log") as log, s3_server(Path(log.name), _BUCKET) as server:
        client = server.client()
        for path in sorted(folder.iterdir()):
            client.upload_file(str(path), _BUCKET, f"corpus/{path.name}")
        yield f"s3://{_BUCKET}/corpus", server.environment


@contextlib.contextmanager
def in_environment(variables: dict[str, str]) -> Iterator[None]:
    """Variables of this process's environment, for the time of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
