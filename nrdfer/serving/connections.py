"""Connections to the server: their maximum number, and how long one may be idle.

The time limit of a request, its body included, belongs to `app`; before its headers are complete there is no request.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from nrdfer.serving.limits import Limits

SPARE = 64  # connections besides those of the requests that are held: to ask for more, or whether the server is well
_ENDING = 5  # seconds for requests that are being answered


def settings_of(app: Any, limits: Limits) -> uvicorn.Config:
    """Uvicorn's configuration for an application."""
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        limit_concurrency=limits.at_once + SPARE,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=_ENDING,
    )


class Connection(H11Protocol):
    """One connection, closed when there are too many, or when no request is complete in time.

    uvicorn counts connections only when a request is whole, and waits for headers, and for the rest of a body that was
    answered already, as long as something arrives now and then.
    """

    seconds = 10.0  # until a request's headers are whole
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or close it at once."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            transport.abort()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop()

    def data_received(self, data: bytes) -> None:
        """Take incoming data; only a complete request ends the waiting."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._watch()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.seconds, self.transport.abort)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
