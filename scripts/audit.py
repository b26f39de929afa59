"""Look up every locked package in a database of known vulnerabilities, by pip-audit.

    python scripts/audit.py                          # OSV's service, else PyPI's
    python scripts/audit.py --osv-url http://mirror.local/v1/query
    python scripts/audit.py --database all.zip       # OSV's records here: a zip, a folder of .json, or one .json

Ends 0: nothing known. 1: something is, as printed. 2: no database could be asked, so nothing is known either way.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

PROJECT = Path(__file__).resolve().parents[1]
LOCK = PROJECT / "requirements.lock"
CLEAN, FOUND, UNKNOWN = 0, 1, 2
KNOWN = "jinja2==2.4.1"  # whoever knows nothing of it (a package index without advisories) cannot give a clean bill
Record = dict[str, Any]


def main() -> int:
    """Audit and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--osv-url", help="a mirror of OSV's query service")
    parser.add_argument("--database", type=Path, help="OSV's records: a zip, a folder of .json, or one .json")
    parser.add_argument("--requirements", type=Path, default=LOCK, help="what is looked up")
    parser.add_argument("--timeout", type=int, default=15, help="seconds to wait for a service")
    chosen = parser.parse_args()
    if chosen.database is not None:
        try:
            records = by_package(read_records(chosen.database))
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            return _unknown(f"{chosen.database} cannot be read: {error}")
        if not records:
            return _unknown(f"{chosen.database} holds no record of a Python package")
        with serving(records) as url:
            return report(chosen, [("osv", url)], f"{sum(map(len, records.values()))} records of {chosen.database}")
    if chosen.osv_url:
        return report(chosen, [("osv", chosen.osv_url)], chosen.osv_url)
    return report(chosen, [("osv", ""), ("pypi", "")], "OSV's or PyPI's service")


def report(chosen: argparse.Namespace, services: list[tuple[str, str]], what: str) -> int:
    """Ask one service after the other until one answers that knows anything."""
    said = []
    for service, url in services:
        try:
            if chosen.database is None and not _vulnerable(_ask(chosen, KNOWN, service, url)):
                said.append(f"{service}: answers, but knows nothing of {KNOWN}, whose vulnerabilities are public")
                continue
            told = _ask(chosen, chosen.requirements, service, url)
        except ValueError as error:
            said.append(f"{service}: {error}")
            continue
        if found := _vulnerable(told):
            print("\n".join(found))
            print(f"{len(found)} known vulnerabilities, says {service} ({what})")
            return FOUND
        if skipped := [one["name"] for one in told if "skip_reason" in one]:
            said.append(f"{service}: {len(skipped)} of {len(told)} packages are unknown to it, e.g. {skipped[0]}")
            continue
        print(f"nothing is known against {len(told)} packages of {chosen.requirements.name}, says {service} ({what})")
        return CLEAN
    return _unknown("; ".join(said))


def _ask(chosen: argparse.Namespace, about: Path | str, service: str, url: str) -> list[Record]:
    """What pip-audit says of each package of a requirements file, or of one package.

    Raises:
        ValueError: the service does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(about, str):
            one = Path(folder) / "one.txt"
            one.write_text(about + "\n")
            about = one
        line = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
        line += ["-f", "json", "--cache-dir", folder, "-r", str(about), "-s", service, "--timeout", str(chosen.timeout)]
        line += ["--osv-url", url] if url else []
        local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"} if "127.0.0.1" in url else {}
        done = subprocess.run(line, capture_output=True, text=True, env=os.environ | local)  # noqa: S603
    try:
        dependencies: list[Record] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        words = done.stderr.strip().splitlines()
        raise ValueError(words[-1][:300] if words else f"pip-audit ended with {done.returncode}") from None
    return dependencies


def _vulnerable(told: list[Record]) -> list[str]:
    return [
        f"{one['name']} {one['version']}: {', '.join([vuln['id'], *vuln['aliases']])}; fixed in "
        f"{', '.join(vuln['fix_versions']) or 'no version'}; {str(vuln.get('description', ''))[:200]}"
        for one in told
        for vuln in one.get("vulns", ())
    ]


def _unknown(why: str) -> int:
    print(
        f"NOT AUDITED: no database of vulnerabilities could be asked ({why}). Nothing is known either way. Give a "
        "mirror (--osv-url) or OSV's records (--database all.zip, from its public bucket, folder PyPI).",
        file=sys.stderr,
    )
    return UNKNOWN


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
    """Whether a record tells of this version: it is listed, or lies in a range."""
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


if __name__ == "__main__":
    sys.exit(main())
