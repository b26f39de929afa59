"""The web service in front of a model: access, request size, concurrency and time limits.

Only requests that a program on this machine sends deliberately are answered: the Host header must name this machine
(DNS rebinding by a web page is refused), and the body must be declared as JSON (so that a browser sends a preflight
request first). Every answer is strict JSON. What a request means belongs to `service`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from nrdfer.serving.limits import Limits, RequestError
from nrdfer.serving.service import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Names under which a program on this machine reaches the server.
LOCAL = ("localhost", "127.0.0.1", "::1")
Answer = Callable[[bytes, float], Awaitable[Reply]]  # body, seconds left -> reply
_log = logging.getLogger(__name__)


def make_app(
    answer: Answer,
    limits: Limits,
    *,
    hosts: Sequence[str] = (),
    version: str = "",
    close: Callable[[], None] | None = None,
) -> Starlette:
    """The service as an ASGI application.

    Args:
        answer: makes a reply of a body.
        limits: of requests.
        hosts: names besides `LOCAL` by which callers may address the server.
        version: shown at ``/version``.
        close: called when the server ends.
    """
    known = {host.lower() for host in (*LOCAL, *hosts)}
    held: list[int] = [0]

    async def invoke(request: Request) -> Response:
        if held[0] >= limits.at_once:
            return _response(refusal(f"{limits.at_once} requests are being answered; ask again later", 429), "1")
        held[0] += 1
        try:
            began = time.monotonic()
            body = await _body(request, limits)
            left = max(limits.seconds - (time.monotonic() - began), 0.1)
            return _response(await answer(body, left))
        except RequestError as error:
            return _response(refusal(str(error), error.status))
        except ClientDisconnect:
            return _response(refusal("the client disconnected", 400))
        finally:
            held[0] -= 1

    async def well(_: Request) -> Response:
        return Response(b"\n", media_type="application/json")

    async def version_info(_: Request) -> Response:
        return Response(version.encode(), media_type="text/plain")

    async def failed(_: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            words = {404: "there is nothing here; POST to /invocations", 405: "POST to /invocations; GET the others"}
            return _response(refusal(words.get(error.status_code, "this request is not answered"), error.status_code))
        _log.error("a request could not be answered", exc_info=error)
        return _response(refusal("an internal error of the server; see its log", 500))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        if close is not None:
            close()

    app = Starlette(
        routes=[
            Route("/invocations", invoke, methods=["POST"]),
            *(Route(path, well) for path in ("/ping", "/health")),
            Route("/version", version_info),
        ],
        exception_handlers={HTTPException: failed, Exception: failed},
        lifespan=lifespan,
    )
    app.add_middleware(KnownHost, known=known, advice="nrdfer serve --host-name NAME allows others")
    return app


class KnownHost:
    """Rejects requests that address the server by an unknown host name, which is the mark of DNS rebinding.

    Args:
        app: the application behind it.
        known: names, in lower case.
        advice: what to do, for the message.
    """

    def __init__(self, app: Any, known: set[str], advice: str) -> None:
        self._app, self._known, self._advice = app, known, advice

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            if len(hosts) != 1 or host_name(hosts[0].decode("latin-1")) not in self._known:
                words = f"this server answers requests to localhost only ({self._advice})"
                await _response(refusal(words, 403))(scope, receive, send)
                return
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)


def host_name(header: str) -> str:
    """The name in a Host header, without its port and in lower case; empty if it is none."""
    text = header.strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket and port.startswith(":") else port
        return name if bracket and (not port or port.isdigit()) else ""
    name, sign, port = text.partition(":")
    return name.removesuffix(".") if not sign or port.isdigit() else ""


async def _body(request: Request, limits: Limits) -> bytes:
    """A request's body, within the size and time limits."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError("send JSON with Content-Type: application/json", 415)
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise RequestError("send the body as it is, without a Content-Encoding", 415)
    most = limits.request_bytes
    large = RequestError(f"the request has more than the {most:,} bytes allowed", 413)
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > most):
        raise large
    content = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise large
    except TimeoutError as error:
        raise RequestError(f"the request did not arrive within {limits.seconds:g} s", 408) from error
    return bytes(content)


def _response(reply: Reply, retry_after: str = "") -> Response:
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Response(reply.body, reply.status, headers, "application/json")
