"""``nrdfer serve`` in a project folder, and what asks it over HTTP: the lines of the page about it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from tests.conftest import PROJECT
from tests.end_to_end.commands import Run

_PAGE = re.sub(r"\\\n\s*", "", (PROJECT / "docs" / "lineage.md").read_text())
VIDEOS, PORT = "/data/videos", "5001"  # of the page


def line_of_page(begin: str) -> list[str]:
    """The words of the only line of the page that begins so."""
    (line,) = re.findall(rf"^ {{4}}({re.escape(begin)}.*)$", _PAGE, re.MULTILINE)
    return shlex.split(line, comments=True)


@contextlib.contextmanager
def served(run: Run, model: str, *more: str) -> Iterator[str]:
    """``nrdfer serve MODEL ...``, until the test ends; gives the address."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        port = place.getsockname()[1]
    log = run[0] / "serve.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "nrdfer.cli", "serve", model, "--port", str(port), *more],
            cwd=run[0], env=run[1], stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2):
                break
            assert process.poll() is None, log.read_text()[-3000:]
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def post(address: str, payload: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310
        address, json.dumps(payload).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
        return json.load(answer)


def ask(address: str, payload: dict[str, Any]) -> pd.DataFrame:
    try:
        return pd.DataFrame(post(address, payload)["predictions"])
    except urllib.error.HTTPError as error:
        pytest.fail(error.read().decode()[:2000])
