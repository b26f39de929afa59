"""Addresses: MLflow's as used and as displayed, without any password in it.

Keep here: text. The servers behind addresses belong to ``nrdfer.tracking``. Nothing else shows or keeps an
address.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from nrdfer.core.postgres import is_postgres, with_driver
from nrdfer.core.redaction import HIDDEN, SECRET_NAME, hide, parted

SQLITE = "sqlite:///"
_URI, _USER, _PASSWORD, _TOKEN = (
    f"MLFLOW_TRACKING_{name}" for name in ("URI", "USERNAME", "PASSWORD", "TOKEN")
)  # what MLflow's client reads at every request
WEB = ("http://", "https://")
LOCAL = ("127.0.0.1", "localhost", "::1")


def sqlite_address(path: Path) -> str:
    """Address of an SQLite file; characters with a meaning in addresses (``%``, ``?``) are quoted."""
    return SQLITE + "".join(quote(letter) if letter in "%?" else letter for letter in str(path.absolute()))


def sqlite_path(address: str) -> Path | None:
    """The file that an address refers to; None if it refers to none."""
    if not address.startswith(SQLITE):
        return None
    found = unquote(address.removeprefix(SQLITE).partition("?")[0])
    return None if found in ("", ":memory:") else Path(found).absolute()


def usable(address: str, own: Path) -> str:
    """An address usable by MLflow from any folder, without its secrets: those are set where MLflow's client reads them.

    Args:
        address: as a user writes it.
        own: this project's database; its place pasted into an address unquoted is meant all the same.
    """
    address = address.strip()
    if address == f"{SQLITE}{own}":
        return sqlite_address(own)
    path = sqlite_path(address)
    if path is not None:
        _, sign, query = address.partition("?")
        return sqlite_address(path) + sign + query
    scheme, info, rest = parted(address)
    if scheme in WEB:
        return _without_credentials(scheme, info, rest)
    user, colon, password = info.partition(":")
    if is_postgres(scheme):
        scheme = with_driver(scheme)
        if colon:  # its driver reads the environment, too
            os.environ["PGPASSWORD"] = unquote(password)
            info = user
    return f"{scheme}{info}@{rest}" if info else f"{scheme}{rest}"


def _without_credentials(scheme: str, info: str, rest: str) -> str:
    if info:
        user, _, password = info.partition(":")
        os.environ[_USER], os.environ[_PASSWORD] = unquote(user), unquote(password)
    try:
        parts = urlsplit(scheme + rest)
    except ValueError:  # brackets that are no address; MLflow says so
        return scheme + rest
    kept = []
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if SECRET_NAME.search(name):
            os.environ[_TOKEN] = value
        else:
            kept.append((name, value))
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(kept), parts.fragment))


def displayed(address: str) -> str:
    """An address for display, files and logs."""
    scheme, info, rest = parted(address)
    return hide(f"{scheme}{HIDDEN}@{rest}" if info else address)


def page(address: str) -> str:
    """Address of a web page as the base of links: no user name, and no slash at its end."""
    scheme, _, rest = parted(address)
    return (scheme + rest).rstrip("/")


def settle_environment() -> None:
    """Set MLflow's address without secrets for this process and its children, and bypass proxies for this machine.

    A proxy is for the network: what listens on this machine's own address cannot be reached through one.
    """
    if address := os.environ.get(_URI, ""):
        scheme = parted(address)[0]
        clean = address if scheme.startswith("sqlite") else usable(address, Path())  # a file's place is not known yet
        if clean != address:
            os.environ[_URI] = clean
            if os.environ.get("MLFLOW_BACKEND_STORE_URI") == address:
                os.environ["MLFLOW_BACKEND_STORE_URI"] = clean
    if any(name.lower().endswith("_proxy") and name.lower() != "no_proxy" for name in os.environ):
        listed = [place.strip() for name in ("no_proxy", "NO_PROXY") for place in os.environ.get(name, "").split(",")]
        if "*" not in listed:
            hosts = ",".join(dict.fromkeys([*filter(None, listed), *LOCAL]))
            os.environ["no_proxy"] = os.environ["NO_PROXY"] = hosts
