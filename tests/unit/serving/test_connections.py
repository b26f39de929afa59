"""Connections that send no whole request are closed in time, and no more of them are held than was said."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from nrdfer.serving import connections
from nrdfer.serving.limits import Limits

SECONDS = 1.0
BEGUN = b"POST /invocations HTTP/1.1\r\nHost: localhost\r\nX-A: "
WHOLE = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = b"POST /quick HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer without waiting for the body; slowly if that was asked for."""
    await asyncio.sleep(1.5 * SECONDS if scope["path"] == "/slow" else 0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connections.Connection, "seconds", SECONDS)
    monkeypatch.setattr(connections, "SPARE", 6)
    settings = connections.settings_of(answer, Limits(at_once=2))
    settings.lifespan = "off"
    server = uvicorn.Server(settings)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=lambda: server.run(sockets=[place]))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield place.getsockname()[1]
        server.should_exit = True
        thread.join()


def connect(port: int, sent: bytes) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=30 * SECONDS)
    made.sendall(sent)
    return made


def is_open(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        while one.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def test_unfinished_headers_are_not_waited_for(port: int) -> None:
    held = [connect(port, BEGUN) for _ in range(20)]
    time.sleep(SECONDS / 4)
    assert sum(map(is_open, held)) <= 7
    time.sleep(2 * SECONDS)
    assert not any(map(is_open, held))
    with connect(port, WHOLE % b"quick") as other:
        assert other.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("begun", [BEGUN, BODY])
def test_a_byte_now_and_then_does_not_prolong_it(port: int, begun: bytes) -> None:
    with connect(port, begun) as one:
        until = time.monotonic() + 5 * SECONDS
        while is_open(one) and time.monotonic() < until:
            time.sleep(SECONDS / 5)
            try:
                one.send(b"a")
            except OSError:
                break
        assert time.monotonic() < until


def test_an_answer_may_take_longer_and_another_may_follow(port: int) -> None:
    with connect(port, WHOLE % b"slow") as one:
        assert one.recv(1 << 16).startswith(b"HTTP/1.1 200")
        one.sendall(WHOLE % b"quick")
        assert b"HTTP/1.1 200" in one.recv(1 << 16) + one.recv(1 << 16)
