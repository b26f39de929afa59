"""URLs of Dagster's and MLflow's web UIs, which links lead to.

Links are stored for a long time: in Dagster's metadata, in MLflow's notes, in reports. So a project keeps the ports
that its pages had first (``pages.json`` in its home), and code that writes a link finds them there, whether the pages
run or not. Keep out: starting the pages (``pipelines/pages``).
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from typing import Any

from nrdfer.core import addresses, paths
from nrdfer.core.atomic_files import write_whole
from nrdfer.core.state_files import read_state

HOST = "127.0.0.1"
EXPERIMENT = "nr-dfernet"  # of MLflow: all runs of this project
DEFAULT_PORTS = {"dagster": 3000, "mlflow": 5000}
TRAINING_VIEW = "workflowType=machine_learning"  # MLflow's page begins with language models, where there is no registry
VARIABLES = {"dagster": "NRDFER_DAGSTER_URL", "mlflow": "NRDFER_MLFLOW_URL"}


def address(port: int) -> str:
    """``http://127.0.0.1:<port>``: pages are for this machine only."""
    return f"http://{HOST}:{port}"


def remembered_ports() -> dict[str, int]:
    """The port of each page of this project: that of its first start, else the default."""
    # a damaged file is moved away, and the next start writes it again
    return read_state(paths.home() / "pages.json", _ports) or dict(DEFAULT_PORTS)


def _ports(document: Any) -> dict[str, int]:
    ports = {name: document[name] for name in DEFAULT_PORTS}
    # a bool is an int to Python, and would be written into links as one
    if not all(isinstance(port, int) and port is not True and 0 < port < 1 << 16 for port in ports.values()):
        raise ValueError("a port is a whole number below 65,536")
    return ports


def remember_ports(ports: dict[str, int]) -> None:
    """Use these ports in links of this project from now on."""
    write_whole(paths.home() / "pages.json", json.dumps(ports).encode())


def dagster_page() -> str:
    """Address of Dagster's page, without a slash at its end."""
    return addresses.page(os.environ.get(VARIABLES["dagster"]) or address(remembered_ports()["dagster"]))


def runs_page(mlflow: str) -> str:
    """Address of the project's runs below MLflow's page; of all experiments, where the project's is not known yet."""
    path = addresses.sqlite_path(paths.tracking_uri())
    found = None
    with contextlib.suppress(sqlite3.Error):  # it is being made, is locked or is damaged
        if path is not None and path.exists():
            with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as database:
                question = "SELECT experiment_id FROM experiments WHERE name = ?"
                found = database.execute(question, (EXPERIMENT,)).fetchone()
    place = "experiments" if found is None else f"experiments/{int(found[0])}/runs"
    return f"{mlflow}/#/{place}?{TRAINING_VIEW}"


def mlflow_page(tracking_uri: str | None = None) -> str:
    """Address of MLflow's page, without a slash at its end: the user's own server if runs are kept there.

    Args:
        tracking_uri: where runs are kept; what the environment says if not given.
    """
    kept_at = tracking_uri or paths.tracking_uri()
    if kept_at.startswith(addresses.WEB):
        return addresses.page(kept_at.partition("?")[0].partition("#")[0])
    return addresses.page(os.environ.get(VARIABLES["mlflow"]) or address(remembered_ports()["mlflow"]))
