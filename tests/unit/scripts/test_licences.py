"""The licences of all that is installed stand in the notices."""

from __future__ import annotations

from pathlib import Path

from devtools.lock_file import LOCK, locked

NOTICES = Path(__file__).resolve().parents[3] / "THIRD_PARTY_NOTICES.md"


def test_every_locked_package_has_its_licence_in_the_notices() -> None:
    rows = [line.strip("| ").split(" | ") for line in NOTICES.read_text().splitlines() if line.startswith("| ")]
    told = {row[0]: (row[1], row[2]) for row in rows if len(row) == 3}
    packages = list(locked(LOCK.read_text()))
    assert len(packages) > 150
    for name, version in packages:
        assert name in told, f"{name} is not in {NOTICES.name}; run: make licences"
        assert told[name][0] == version, f"{name} is told as {told[name][0]}; run: make licences"
        assert told[name][1] and "says none" not in told[name][1], name
