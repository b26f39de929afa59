"""Both web pages of a project folder, started as ``nrdfer dev`` starts them, for tests that open them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parents[2]
LAST_WORDS = "Ctrl-C stops both."  # of a start that went well


@dataclass
class Pages:
    """A running ``nrdfer dev``."""

    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)  # its lines so far

    def address(self, title: str) -> str:
        """Of ``Dagster`` or ``MLflow``, as it was printed."""
        (found,) = {line.split()[1] for line in self.said if line.startswith(f"{title} ") and "://" in line}
        return found

    def below(self) -> list[psutil.Process]:
        """All processes that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def keep_ports_free_of_others(home: Path) -> None:
    """Give a project ports of its own before its first link is written, so that tests never meet at 3000 and 5000."""
    path = home / "pages.json"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"dagster": free_port(), "mlflow": free_port()}))


@contextmanager
def web_pages(folder: Path, environment: Mapping[str, str], line: list[str] | None = None) -> Iterator[Pages]:
    """Start both pages and wait until they answer; whatever happens, no process stays.

    Args:
        folder: that looks like the project's root.
        environment: of the servers; without ports in it, they get those of `keep_ports_free_of_others`.
        line: to type instead of this interpreter and the script.
    """
    shutil.copy(PROJECT / "workspace.yaml", folder)
    keep_ports_free_of_others(folder / ".nrdfer")
    process = subprocess.Popen(
        line or [sys.executable, "-m", "nrdfer.cli", "dev"],
        cwd=folder,
        env={name: value for name, value in environment.items() if name != "DAGSTER_MODULE_NAME"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    pages = Pages(process)
    started = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for said in process.stdout:
            pages.said.append(said.rstrip())
            if said.strip() == LAST_WORDS:
                started.set()
        started.set()  # it has ended

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert started.wait(300), pages.said
        assert process.poll() is None and LAST_WORDS in pages.said, "\n".join(pages.said)
        yield pages
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                for left in [*pages.below(), psutil.Process(process.pid)]:
                    left.kill()
        listener.join(10)
