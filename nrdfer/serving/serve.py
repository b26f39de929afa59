"""One registered version served on 127.0.0.1: checked, copied to a private folder, and loaded by workers."""

from __future__ import annotations

import contextlib
import functools
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nrdfer.core.errors import NrdferError
from nrdfer.serving.limits import Limits
from nrdfer.serving.service import Service

HOST = "127.0.0.1"


def run(model: str, *, port: int, workers: int, folders: Sequence[str], hosts: Sequence[str], limits: Limits) -> None:
    """Serve a version until this process is stopped.

    Args:
        model: address of a registered version; of one on the hub, or the shipped one, which are served for videos.
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
    from nrdfer.serving.loader import FOLDERS, SHA256
    from nrdfer.serving.workers import Workers

    signal.signal(signal.SIGTERM, _end)  # as Ctrl-C does; at once, it would leave the copy behind
    with _place(port) as place, _checked_files(model) as (files, sha256, title), contextlib.suppress(KeyboardInterrupt):
        config = {SHA256: sha256, FOLDERS: list(folders)}
        answering = Workers(functools.partial(open_service, str(files), config, limits), workers)
        try:
            answering.start()
            app = make_app(answering.answer, limits, hosts=hosts, version=code_version().version, close=answering.close)
            print(f"{title}; http://{HOST}:{port}/invocations, Ctrl-C stops", file=sys.stderr, flush=True)
            uvicorn.Server(settings_of(app, limits)).run(sockets=[place])
        finally:
            answering.close()


@contextlib.contextmanager
def _checked_files(model: str) -> Iterator[tuple[Path, str, str]]:
    """A private folder with a model's checked files, the sha256 of its weights, and what is said of it at the start."""
    from nrdfer.weights.hub_address import SCHEME
    from nrdfer.weights.sample_network import ADDRESS

    if model == ADDRESS or model.startswith(SCHEME):
        from nrdfer.predict.model import open_model
        from nrdfer.registry.loading import checked_folder
        from nrdfer.serving.video_bundle import write_bundle
        from nrdfer.weights.hub_version import pinned

        address = pinned(model)
        trained = open_model(address)
        with checked_folder(address) as folder, tempfile.TemporaryDirectory(prefix="nrdfer-model-") as scratch:
            write_bundle(folder, trained.preprocessing, Path(scratch))
            yield Path(scratch), trained.origin.weights_sha256, f"{address}: videos, answered by {trained.caption}"
        return
    from nrdfer.registry.loading import note_code
    from nrdfer.registry.private_copy import private_copy, weights_sha256
    from nrdfer.registry.verified_open import open_version

    opened = open_version(model)
    sources = note_code(opened)
    with private_copy(opened) as files:
        words = f"{opened.uri}: files are as registered, answered by sources {sources[:12]}"
        yield files, weights_sha256(opened), words


def _end(*_: Any) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _place(port: int) -> Iterator[socket.socket]:
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
