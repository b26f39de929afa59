"""Ports of the two pages: ``DAGSTER_PORT`` and ``MLFLOW_PORT``, else those this project had first, else 3000 and 5000.

A port that is taken is skipped, with a message.
"""

from __future__ import annotations

import os
import socket

from nrdfer.core import paths
from nrdfer.tracking.ui_urls import HOST, remember_ports, remembered_ports
from pipelines.pages.servers import TITLES, ServerError, console

PORT_VARIABLES = {"dagster": "DAGSTER_PORT", "mlflow": "MLFLOW_PORT"}


def is_free(port: int) -> bool:
    """Whether a server could listen there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose_ports(names: list[str]) -> dict[str, int]:
    """A free port for each page: the requested one, or the next, with a message."""
    first_time = not (paths.home() / "pages.json").exists()
    home, chosen = remembered_ports(), dict[str, int]()
    for name in names:
        wished = os.environ.get(PORT_VARIABLES[name], "")
        if wished and not (wished.isdigit() and 0 < int(wished) < 65536):
            raise ServerError(f"{PORT_VARIABLES[name]}={wished!r} is no port: give a number from 1 to 65535")
        first = int(wished) if wished else home[name]
        free = (port for port in range(first, 65536) if port not in chosen.values() and is_free(port))
        port = next(free, 0)
        if not port:
            raise ServerError(
                f"no port from {first} on is free for {TITLES[name]}; set {PORT_VARIABLES[name]} to another"
            )
        if port != first:
            console.print(f"port {first} is taken: {TITLES[name]} gets {port}. Links written earlier lead to {first}.")
        chosen[name] = port
        if wished or first_time:
            home[name] = port
    remember_ports(home)
    return chosen
