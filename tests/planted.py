"""Secrets in every place that a job may get one from, and a search for them in all that it left behind."""

from __future__ import annotations

import base64
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

_USER = "lab"
#: Where each comes from. With ``/``, ``+`` and ``@`` they look different in an address, a header and a JSON file.
IN_ADDRESS, IN_QUERY = "pass/word+91@planted", "to/ken+92@planted"
IN_ENVIRONMENT = {
    "HF_TOKEN": "hub/token+93@planted",
    "MLFLOW_TRACKING_TOKEN": "bearer/token+94@planted",
    "MLFLOW_TRACKING_PASSWORD": "basic/password+95@planted",
    "AWS_ACCESS_KEY_ID": "aws/key+96@planted",
    "AWS_SECRET_ACCESS_KEY": "aws/secret+97@planted",
    "AWS_SESSION_TOKEN": "aws/session+98@planted",
    "LAB_DATABASE_PASSWORD": "database/password+99@planted",
}
IN_PROXY = "proxy/password+90@planted"
SECRETS = (IN_ADDRESS, IN_QUERY, IN_PROXY, *IN_ENVIRONMENT.values())
_PROXY = f"http://{_USER}:{quote(IN_PROXY, safe='')}@127.0.0.1:9"


def planted(address: str) -> dict[str, str]:
    """Variables for a job that is to use MLflow's server at `address`."""
    info = f"{_USER}:{quote(IN_ADDRESS, safe='')}"
    return {
        **IN_ENVIRONMENT,
        "MLFLOW_TRACKING_URI": address.replace("://", f"://{info}@") + f"?token={quote(IN_QUERY, safe='')}",
        "https_proxy": _PROXY,
        "HTTP_PROXY": _PROXY,
    }


def traces(places: Iterable[Path], **said: str) -> list[str]:
    """Where a secret is, in any form: files and folders below `places`, their names, and what was `said`."""
    found = [f"{name} {_shown(text.encode())}" for name, text in said.items() if _shown(text.encode())]
    for place in places:
        for path in place.rglob("*"):
            contents = [os.fsencode(path)]
            if path.is_file() and not path.is_symlink():
                contents += _contents(path)
            found += [f"{path} {form}" for content in contents if (form := _shown(content))]
    return found


def _forms() -> dict[bytes, str]:
    """A secret as it may stand in a file -> which, and how."""
    forms = {}
    for secret in SECRETS:
        raw = secret.encode()
        forms |= {raw: f"{secret} as it is", quote(secret).encode(): f"{secret} quoted"}
        forms[quote(secret, safe="").encode()] = f"{secret} quoted"
        for before in range(3):  # characters before it in what was encoded: a header has the user's name
            whole = base64.b64encode(b"\0" * before + raw)
            inner = whole[4 if before else 0 : -4]
            forms[inner] = forms[inner.translate(bytes.maketrans(b"+/", b"-_"))] = f"{secret} in base64"
        forms[raw.replace(b"/", b"\\/")] = f"{secret} in JSON"
    return forms


_FORMS = _forms()


def _shown(content: bytes) -> str:
    """Which secret the content holds, and how; empty if none."""
    return next((how for form, how in _FORMS.items() if form in content), "")


def _contents(path: Path) -> Iterator[bytes]:
    """A file's bytes; and the values of a database that it keeps packed (Dagster's snapshots)."""
    content = path.read_bytes()
    yield content
    if content.startswith(b"SQLite format 3\0"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in database.execute(f'select * from "{table}"'):  # noqa: S608
                    yield from (_unpacked(value) for value in row if isinstance(value, bytes))


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value
