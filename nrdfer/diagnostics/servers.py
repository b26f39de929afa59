"""Executor and servers that the environment names; a connection shows whether those answer, and nothing is sent.

What a server says, and whether it takes a password, is found out by its first user.
"""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from nrdfer.core import addresses, environment, paths
from nrdfer.core.coerce import brief
from nrdfer.core.disk import is_there
from nrdfer.core.errors import NrdferError
from nrdfer.core.postgres import is_postgres
from nrdfer.core.project_folder import SETTINGS, project_above
from nrdfer.core.redaction import parted
from nrdfer.diagnostics.findings import Section
from nrdfer.store.copies import URL

_PATIENCE = 1.0  # seconds for a server's first word
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "postgres": 5432}
_DAGSTER_DATABASE, _EXECUTOR = "NRDFER_DAGSTER_DATABASE", "NRDFER_EXECUTOR"
#: Executor -> the module and the program without which it cannot run, and what to install.
_NEEDS: dict[str, tuple[str | None, str | None, str]] = {
    "local": (None, None, ""),
    "ray": ("dagster_ray", None, "pip install 'nrdfer[ray]'"),
    "slurm": (None, "sbatch", "Slurm's client programs"),
    "k8s": ("dagster_k8s", None, "pip install dagster-k8s"),
}


def examine() -> Section:
    """Executor, MLflow, Dagster and the bucket, each as the environment names it."""
    found = Section("services")
    _executor(found)
    _mlflow(found)
    _dagster(found)
    if url := environment.text(URL).strip():
        _bucket(found, url)
    return found


def _executor(found: Section) -> None:
    name = environment.text(_EXECUTOR) or "local"
    found.facts["executor"] = name
    if name not in _NEEDS:
        found.note("missing", f"{_EXECUTOR}={brief(name)} is not valid: give one of {', '.join(_NEEDS)}, or unset it")
        return
    module, program, install = _NEEDS[name]
    if (module and importlib.util.find_spec(module) is None) or (program and shutil.which(program) is None):
        found.note(
            "missing", f"the executor {name} lacks {module or program}; install {install.removeprefix('install ')}"
        )
    else:
        found.note("ok", f"steps run by the executor {name}")


def _mlflow(found: Section) -> None:
    try:
        address = paths.tracking_uri()
    except NrdferError as error:
        found.note("missing", str(error))
        return
    found.facts["mlflow"] = addresses.displayed(address)
    path = addresses.sqlite_path(address)
    if path is not None:
        found.note("ok", f"MLflow: {path}{'' if is_there(path) else ', made at its first use'}")
        return
    _connect(found, "MLflow", address)


def _dagster(found: Section) -> None:
    given = environment.text("DAGSTER_HOME")
    place = Path(given) if given else Path.cwd()
    found.facts["dagster_home"] = given or None
    if given and not (is_there(place) and place.is_dir()):
        found.note("missing", f"DAGSTER_HOME={given} is no folder; make it, or unset the variable")
    elif not given and (project := project_above(place)) is not None:
        found.note("ok", f"Dagster: settings of {project / SETTINGS}")
    elif is_there(place / SETTINGS):
        found.note("ok", f"Dagster: settings of {place / SETTINGS}")
    elif not given:
        found.note("note", f"{place} is not a project's folder; `nrdfer init FOLDER` makes one")
    else:
        found.note("note", f"Dagster: no dagster.yaml in {place}, so its own settings are used")
    if database := environment.text(_DAGSTER_DATABASE):
        _connect(found, "Dagster's database", database)


def _bucket(found: Section, url: str) -> None:
    found.facts["bucket"] = addresses.displayed(url)
    if url.startswith("s3://"):
        if importlib.util.find_spec("s3fs") is None:
            found.note("missing", f"{URL} names an S3 bucket, which needs a package: pip install 'nrdfer[s3]'")
            return
        endpoint = environment.text("AWS_ENDPOINT_URL_S3") or environment.text("AWS_ENDPOINT_URL")
        if not endpoint:
            found.note("note", f"bucket: {addresses.displayed(url)} at AWS; `nrdfer store status` asks it")
            return
        _connect(found, f"bucket {addresses.displayed(url)}", endpoint)
        return
    found.note("note", f"bucket: {addresses.displayed(url)}; `nrdfer store status` asks it")


def _connect(found: Section, what: str, address: str) -> None:
    """Connect to a server, and hang up."""
    scheme, _, rest = parted(address)
    readable = addresses.displayed(address)
    kind = scheme.removesuffix("://").split("+")[0]
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port or _PORTS.get(kind)
    except ValueError as error:
        found.note("missing", f"{what}: {readable} is no address ({error})")
        return
    if is_postgres(address) and not host:
        found.note("note", f"{what}: {readable}, by a socket of this machine")
        return
    if not host or port is None:
        found.note("note", f"{what}: {readable}, which cannot be asked without loading it")
        return
    if host not in addresses.LOCAL and kind in ("http", "https") and _behind_proxy(kind, host):
        found.note("note", f"{what}: {readable}, behind a proxy; not asked")
        return
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except UnicodeError as error:  # of a name that the domain system cannot have, as a..b
        found.note("missing", f"{what}: {readable} is no address ({error})")
    except OSError as error:
        found.note(
            "missing", f"{what}: {readable} does not answer ({error.strerror or error}); start it, or correct it"
        )
    else:
        found.note("ok", f"{what}: {readable} answers")


def _behind_proxy(kind: str, host: str) -> bool:
    proxies = getproxies()
    return bool(proxies.get(kind) or proxies.get("all")) and not proxy_bypass(host)
