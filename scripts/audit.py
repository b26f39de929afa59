"""Look up every locked package in a database of known vulnerabilities, by pip-audit.

    python -m scripts.audit                          # OSV's service, else PyPI's
    python -m scripts.audit --osv-url http://mirror.local/v1/query
    python -m scripts.audit --database all.zip       # OSV's records here: a zip, a folder of .json, or one .json

Ends 0: nothing known. 1: something is, as printed. 2: no database could be asked, so nothing is known either way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from devtools.lock_file import LOCK
from devtools.osv_service import Record, by_package, read_records, serving

CLEAN, FOUND, UNKNOWN = 0, 1, 2
KNOWN = (
    "jinja2==2.4.1"  # a service that does not know it (an index without advisories) cannot report that nothing is known
)


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


if __name__ == "__main__":
    sys.exit(main())
