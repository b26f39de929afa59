"""Write the licences of all locked packages into THIRD_PARTY_NOTICES.md, from their installed metadata.

    python -m scripts.licences [--check]

With --check nothing is written, and the status is 1 if the file would change.
"""

from __future__ import annotations

import argparse
import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from devtools.lock_file import LOCK, locked
from nrdfer.core import markdown_text

NOTICES = Path(__file__).resolve().parents[1] / "THIRD_PARTY_NOTICES.md"
BEGIN, END = "<!-- packages -->", "<!-- end of packages -->"
_LONGEST = 60  # characters of a licence's name; some packages put the whole text there


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if something would change")
    checks = parser.parse_args().check
    text = NOTICES.read_text(encoding="utf-8")
    wanted = with_table(text, table(LOCK.read_text(encoding="utf-8")))
    if checks:
        return int(text != wanted)
    NOTICES.write_text(wanted, encoding="utf-8")
    return 0


def table(lock: str) -> str:
    """Markdown: a line a package."""
    rows = []
    for name, version in locked(lock):
        try:
            licence = licence_of(distribution(name))
        except PackageNotFoundError:
            raise SystemExit(f"{name} is in {LOCK.name} and not installed; run: make install") from None
        rows.append([name, version, licence])
    return markdown_text.table(["package", "version", "licence"], rows)


def licence_of(package: Distribution) -> str:
    """What a package says of its licence: the expression, else its classifiers, else its own words, else its file."""
    about = package.metadata
    if expression := about.get("License-Expression"):
        return _cell(expression)
    classified = [line.split(" :: ")[-1] for line in about.get_all("Classifier") or () if line.startswith("License ::")]
    named = [name for name in classified if name != "OSI Approved"]
    if named:
        return _cell(", ".join(named))
    told = (about.get("License") or "").strip()
    if told and len(told.splitlines()[0]) <= _LONGEST:
        return _cell(told.splitlines()[0])
    files = [file for file in package.files or () if re.match(r"(?i)(licen[cs]e|copying)", Path(file).name)]
    for file in files:
        first = next((line.strip() for line in str(file.read_text()).splitlines() if line.strip()), "")
        if first:
            return _cell(f"{first[:_LONGEST]} (its {Path(file).name})")
    return "says none; see its page"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")


def with_table(text: str, lines: str) -> str:
    """The notices with the table in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{lines}\n\n{END}{after}"


if __name__ == "__main__":
    sys.exit(main())
