"""OSV's records of known vulnerabilities, and a local query service for them.

pip-audit asks such a service and reads no files; so a downloaded database is served to it. Keep out: running pip-audit
and what its findings mean (``scripts/audit.py``).
"""

from __future__ import annotations

import json
import re
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

Record = dict[str, Any]


def read_records(database: Path) -> Iterator[Record]:
    """All OSV records of a zip, a folder, or a file.

    Raises:
        ValueError: one is not JSON.
        OSError: it cannot be read.
    """
    if database.is_dir():
        texts: Iterator[bytes] = (path.read_bytes() for path in sorted(database.rglob("*.json")))
        yield from map(json.loads, texts)
    elif zipfile.is_zipfile(database):
        with zipfile.ZipFile(database) as archive:
            yield from (json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))
    else:
        told = json.loads(database.read_bytes())
        yield from told if isinstance(told, list) else [told]


def by_package(records: Iterator[Record]) -> Mapping[str, list[Record]]:
    """Canonical name -> the records that tell of it."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        names = {canonicalize_name(str(one["package"]["name"])) for one in _affected(record)}
        for name in names:
            found[name].append(record)
    return found


def affects(record: Record, name: str, version: str) -> bool:
    """Whether a record is about this version: it is listed, or is in a range."""
    for one in _affected(record):
        if canonicalize_name(str(one["package"]["name"])) != name:
            continue
        if version in one.get("versions", ()):
            return True
        if any(_inside(part["events"], version) for part in one.get("ranges", ()) if part.get("type") == "ECOSYSTEM"):
            return True
    return False


def _affected(record: Record) -> list[Record]:
    return [one for one in record.get("affected", ()) if one.get("package", {}).get("ecosystem") == "PyPI"]


def _inside(events: list[Record], version: str) -> bool:
    """OSV's own rule: the last event that is not above the version decides."""
    inside = False
    try:
        ours = Version(version)
        steps = [(_place(value), kind) for event in events for kind, value in event.items()]
    except InvalidVersion:
        return True  # better one finding too many
    for at, kind in sorted(steps):
        if kind == "introduced" and ours >= at:
            inside = True
        elif (kind == "fixed" and ours >= at) or (kind == "last_affected" and ours > at):
            inside = False
    return inside


def _place(text: str) -> Version:
    return Version("0.dev0") if text == "0" else Version(re.sub(r"\s", "", text))


class serving:  # noqa: N801 - used as a function
    """A query service as OSV's, on this machine only, for as long as the block lasts."""

    def __init__(self, records: Mapping[str, list[Record]]) -> None:
        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                name = canonicalize_name(asked["package"]["name"])
                found = [one for one in records.get(name, ()) if affects(one, name, asked["version"])]
                for one in found:  # pip-audit compares names as they are
                    for part in _affected(one):
                        part["package"]["name"] = canonicalize_name(part["package"]["name"])
                body = json.dumps({"vulns": found} if found else {}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing: what was found is printed at the end."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/v1/query"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
