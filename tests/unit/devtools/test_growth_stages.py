"""The stages of the bench of growth work on the files of those before, and exponents are of the two largest sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from devtools.growth import exponents
from devtools.growth_stages import STAGES, tree
from nrdfer.corpora.ferv39k import FERV39K
from nrdfer.store import Store


def test_exponents_are_those_of_the_two_largest_sizes_and_of_nothing_too_small() -> None:
    measured = [
        {"listing": {"cpu_seconds": 9.0, "megabytes": 1.0}},
        {"listing": {"cpu_seconds": 2.0, "megabytes": 1.0}},
        {"listing": {"cpu_seconds": 20.0, "megabytes": 8.0}},
    ]
    assert exponents([10, 100, 1000], measured) == {"listing": {"cpu_seconds": 1.0, "megabytes": None}}
    measured[-1]["listing"] = {"cpu_seconds": 200.0, "megabytes": 160.0}
    assert exponents([10, 100, 1000], measured) == {"listing": {"cpu_seconds": 2.0, "megabytes": 2.0}}


@pytest.mark.slow
def test_every_stage_finds_what_it_needs(tmp_path: Path) -> None:
    tree(tmp_path, 70)
    for stage in STAGES.values():
        stage(tmp_path)
    [evaluation] = Store(tmp_path / "store").find(FERV39K.asset("evaluation"))
    assert evaluation.manifest["counts"]["metrics"]["honest"]["clips"] == 14
    assert (tmp_path / "report" / "metrics.json").is_file()
