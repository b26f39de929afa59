from __future__ import annotations

import pytest

from devtools.osv_service import affects
from tests.unit.devtools.osv_records import record


@pytest.mark.parametrize(
    ("version", "told"), [("1.0", True), ("1.4.9", True), ("1.5", False), ("2.0", True), ("2.1", True), ("2.2", False)]
)
def test_versions_are_compared_as_the_records_mean_them(version: str, told: bool) -> None:
    made = record(
        "some-package", {"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.1"}
    )
    assert affects(made, "some-package", version) is told
    assert affects(record("Some_Package", versions=("1.0",)), "some-package", version) is (version == "1.0")
