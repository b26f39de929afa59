"""A small server that speaks as much of the Hugging Face hub's protocol as a download needs, and keeps what it saw."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass
class Seen:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]  # names in small letters

    @property
    def offset(self) -> int | None:
        """Where the wanted bytes begin; None without a Range."""
        wanted = self.headers.get("range")
        return int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else None


@dataclass
class HubServer:
    """Serves one file: `resolve/` sends on to another address, as the hub sends large files to its storage."""

    path: str
    content: bytes
    cut_after: int | None = None  # bytes of an answer after which it stops, once
    hang: bool = False  # whether it then keeps silent instead of hanging up
    ranges: bool = True  # whether it serves parts
    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> HubServer:
        self.released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                server._answer(self, body=False)

            def do_GET(self) -> None:
                server._answer(self, body=True)

            def do_POST(self) -> None:
                server._answer(self, body=True)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def transfers(self) -> list[Seen]:
        """Requests for the bytes themselves."""
        return [request for request in self.seen if request.path == "/storage"]

    def _answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Seen(handler.command, handler.path, headers)
        self.seen.append(request)
        if request.path == self.path:
            handler.send_response(302)
            handler.send_header("Location", f"{self.endpoint}/storage")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif request.path == "/storage":
            self._send(handler, request, body=body)
        else:
            handler.send_response(404)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def _send(self, handler: BaseHTTPRequestHandler, request: Seen, *, body: bool) -> None:
        start = (request.offset or 0) if self.ranges else 0
        rest = self.content[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(rest)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        handler.end_headers()
        if not body:
            return
        if self.cut_after is None:
            handler.wfile.write(rest)
            return
        count, self.cut_after = self.cut_after, None
        handler.wfile.write(rest[:count])
        handler.wfile.flush()
        if self.hang:
            self.released.wait()
        handler.close_connection = True
