"""Growth and hours are computed as they say."""

from __future__ import annotations

import pytest

from devtools.growth import projected, stage_hours

KINDS = ("index", "listing")


def test_growth_and_hours_are_computed_as_they_say() -> None:
    flat = {kind: {"bytes": 10.0} for kind in KINDS}
    square = {kind: {"bytes": 1000.0} for kind in KINDS}
    found = projected([10, 100], [flat, square], 200)
    assert found["index"]["bytes"] == {"exponent": 2.0, "projected": 2000.0}
    hours = stage_hours({"training": 100.0, "shards": 50.0}, [1, 2], 1000, 36)
    assert hours["shards"] == {"1": 0.2, "2": 0.1}
    assert hours["training"]["1"] == pytest.approx(1000 * 5 * 70 * 0.8 / 100 / 3600, abs=0.05)
