"""The temperature that a model's files state is read, and nothing else is taken for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nrdfer.core.errors import WeightsError
from nrdfer.predict.temperature import read_temperature


def test_it_is_that_of_the_last_epoch(tmp_path: Path) -> None:
    assert read_temperature(tmp_path) is None
    (tmp_path / "calibration.json").write_text(json.dumps({"paper": {"temperature": 9}, "honest": {"temperature": 2}}))
    assert read_temperature(tmp_path) == 2.0
    (tmp_path / "validation.json").write_text(json.dumps({"last": {"temperature": 1.5}}))
    assert read_temperature(tmp_path) == 1.5


@pytest.mark.parametrize("content", [[], {"last": 3}, {"last": {}}, {"last": {"temperature": None}}])
def test_a_file_may_state_none(tmp_path: Path, content: object) -> None:
    (tmp_path / "validation.json").write_text(json.dumps(content))
    assert read_temperature(tmp_path) is None


@pytest.mark.parametrize("stated", ["0", "-1", "NaN", "Infinity", '"warm"', "true", "{"])
def test_what_divides_no_logits_is_refused(tmp_path: Path, stated: str) -> None:
    (tmp_path / "validation.json").write_text(f'{{"last": {{"temperature": {stated}}}}}')
    with pytest.raises(WeightsError, match=r"validation\.json"):
        read_temperature(tmp_path)
