"""The page's server, on 127.0.0.1: a private folder for as long as it runs, results by address, nothing from elsewhere.

Gradio's own way to start (``launch``) is not used: it can share pages, asks servers for releases, and answers any Host.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nrdfer.core.errors import NrdferError
from nrdfer.serving.limits import Limits

if TYPE_CHECKING:
    from fastapi import FastAPI

    from nrdfer.predict.predictor import Predictor

_ENDING = 3  # seconds for answers that are being sent
#: The page loads nothing from elsewhere, whatever its framework would like, and is in no other page's frame.
_POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only the user can read, for everything that this process writes; removed at the end.

    Gradio and what it uses put uploads into it, too; so this comes before they are imported.
    """
    with tempfile.TemporaryDirectory(prefix="nrdfer-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        for part in ("uploads", "results", "scratch"):
            (folder / part).mkdir(mode=0o700)
        before = tempfile.tempdir
        tempfile.tempdir = str(folder / "scratch")
        os.environ |= {
            "GRADIO_ANALYTICS_ENABLED": "False",
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            "GRADIO_SHARE": "False",
            "GRADIO_RUN_HISTORY": "False",
            "GRADIO_NUM_PORTS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        try:
            yield folder
        finally:
            tempfile.tempdir = before


def refuse_no_gradio() -> None:
    """Refuse at once where the extra is not installed; nothing is imported.

    Raises:
        NrdferError: it is not.
    """
    from importlib.util import find_spec

    if find_spec("gradio") is None:
        raise NrdferError("nrdfer demo needs Gradio, which is not installed; run: pip install 'nrdfer[demo]'")


def run(load: Callable[[], tuple[Predictor, tuple[str, ...]]], *, port: int, limits: Limits) -> None:
    """Serve the page until this process is stopped; uploads and results are removed then.

    Args:
        load: gives the predictor, and its differences from the training.
        port: on 127.0.0.1.
        limits: of a video.

    Raises:
        NrdferError: Gradio is missing or cannot be imported, or the port is taken.
    """
    import uvicorn

    from nrdfer.serving.serve import HOST, listening

    refuse_no_gradio()
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C does; at once, they would leave the uploads behind
        signal.signal(number, _end)
    with listening(port) as place, contextlib.suppress(KeyboardInterrupt), private_folder() as folder:
        predictor, overrides = load()
        app = make_app(predictor, folder, limits, overrides)
        print(f"http://{HOST}:{port}, Ctrl-C stops and removes what was uploaded", file=sys.stderr, flush=True)
        config = uvicorn.Config(
            app, ws="none", log_level="warning", server_header=False, timeout_graceful_shutdown=_ENDING
        )
        try:
            uvicorn.Server(config).run(sockets=[place])
        finally:
            app.state.sessions.close()


def make_app(predictor: Predictor, folder: Path, limits: Limits, overrides: tuple[str, ...] = ()) -> FastAPI:
    """The page and its results as an ASGI application.

    Args:
        predictor: loaded.
        folder: of `private_folder`.
        limits: of a video.
        overrides: differences from the training, as text.

    Raises:
        NrdferError: Gradio cannot be imported.
    """
    try:
        from nrdfer.demo.page import mount_page
    except ImportError as error:
        raise NrdferError(f"nrdfer demo cannot import Gradio ({error}); run: pip install 'nrdfer[demo]'") from error
    from fastapi import FastAPI
    from fastapi.responses import FileResponse, PlainTextResponse
    from starlette.requests import Request
    from starlette.responses import Response

    from nrdfer.demo.session import Sessions
    from nrdfer.serving.app import LOCAL, KnownHost

    sessions = Sessions(predictor, folder / "results", limits, overrides)

    async def result(request: Request) -> Response:
        path = sessions.file(request.path_params["token"], request.path_params["name"])
        return PlainTextResponse("there is nothing here", 404) if path is None else FileResponse(path)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_route("/results/{token}/{name}", result)
    app = mount_page(app, sessions, folder / "uploads", predictor.model.warning, limits.video_bytes)
    app.state.sessions = sessions
    app.add_middleware(_OwnPage)
    app.add_middleware(KnownHost, known=set(LOCAL), advice="this page is for programs of this machine only")
    return app


class _OwnPage:
    """Rejects requests that a page of another site makes, and adds `_HEADERS` to what is answered."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc.lower() != headers.get(b"host", b"").decode("latin-1").lower():
            from starlette.responses import PlainTextResponse

            await PlainTextResponse("requests of other pages are not answered", 403)(scope, receive, send)
            return

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if name.decode().lower() not in _HEADERS]
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*kept, *own]}
            await send(message)

        await self._app(scope, receive, with_headers)


def _end(*_: Any) -> None:
    raise KeyboardInterrupt
