"""One registered version served on 127.0.0.1: checked, copied to a private folder, and loaded by workers."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nrdfer.core.errors import NrdferError
from nrdfer.serving.limits import Limits
from nrdfer.serving.service import Service

if TYPE_CHECKING:
    from nrdfer.serving.served_files import Served

HOST = "127.0.0.1"


def run(
    served: Served, *, port: int, workers: int, folders: Sequence[str], hosts: Sequence[str], limits: Limits
) -> None:
    """Serve a version until this process is stopped.

    Args:
        served: the model, and the detector of its videos.
        port: on `HOST`.
        workers: processes that answer.
        folders: whose videos may be requested by path.
        hosts: names besides localhost by which the server may be addressed.
        limits: of requests.

    Raises:
        WeightsError: the version is refused.
        NrdferError: it cannot be loaded, or the port is taken.
    """
    import uvicorn

    from nrdfer.runtime.code_version import code_version
    from nrdfer.serving.app import make_app
    from nrdfer.serving.connections import settings_of
    from nrdfer.serving.loader import ANSWER, FOLDERS, SHA256
    from nrdfer.serving.served_files import checked_files
    from nrdfer.serving.workers import Workers

    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does; at once, it would leave the copy behind
    with (
        listening(port) as place,
        checked_files(served) as (files, sha256, title),
        contextlib.suppress(KeyboardInterrupt),
    ):
        config = {SHA256: sha256, FOLDERS: list(folders), ANSWER: served.answer}
        answering = Workers(functools.partial(open_service, str(files), config, limits), workers)
        try:
            answering.start()
            app = make_app(answering.answer, limits, hosts=hosts, version=code_version().version, close=answering.close)
            print(f"{title}; http://{HOST}:{port}/invocations, Ctrl-C stops", file=sys.stderr, flush=True)
            uvicorn.Server(settings_of(app, limits)).run(sockets=[place])
        finally:
            answering.close()


def _end(*_: Any) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """The listening socket, bound before anything is loaded."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            place.bind((HOST, port))
        except OSError as error:
            raise NrdferError(
                f"port {port} of {HOST} cannot be used ({error.strerror}); choose another with --port"
            ) from error
        yield place


def open_service(files: str, config: dict[str, Any], limits: Limits) -> Service:
    """Service that a worker loads."""
    from nrdfer.serving.loader import open_artifacts

    return Service(open_artifacts(Path(files), config), limits)
