from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import WeightsError
from nrdfer.evaluation.validation import Choice, Validation, choose, read_validation
from nrdfer.models.trained_files import VALIDATION

NEUTRAL = EMOTIONS.index("neutral")


def table(sure: float) -> pd.DataFrame:
    """Clips of happiness that are called neutral though a snippet is happy with probability `sure`."""
    rng = np.random.default_rng(0)
    logits = np.zeros((12, 7)) + 0.1 * rng.normal(size=(12, 7))
    logits[:, NEUTRAL] = 2.0
    logits[:, 0] = 1.5
    rest = np.full(7, np.log((1 - sure) * 0.9 / 5))
    rest[0], rest[NEUTRAL] = np.log(sure), np.log((1 - sure) * 0.1)
    return pd.DataFrame({f"logit_{k}": logits[:, k] for k in range(7)}).assign(
        emotion="happiness", snippet_logits=[rest.tolist()] * 12
    )


def test_own_thresholds_stay_unless_others_are_better() -> None:
    network = {"mu1": 0.7, "mu2": 0.05}
    kept, changed = choose(table(0.9), network, 3), choose(table(0.65), network, 4)
    assert (kept.mu1, kept.mu2, kept.war, kept.epoch) == (0.7, 0.05, 1.0, 3)
    assert (changed.mu1, changed.mu2, changed.war) == (0.6, 0.05, 1.0)  # the nearest of those that are best
    assert kept.temperature > 0


def test_a_network_without_the_filter_has_no_thresholds() -> None:
    made = table(0.9).assign(snippet_logits=[[]] * 12)
    assert choose(made, {}, 1).mu1 is None and choose(made, {"mu1": 0.7, "mu2": 0.05}, 1).mu1 is None
    assert choose(made, {}, 1).war == 0


def test_what_was_chosen_is_read_again(tmp_path: Path) -> None:
    assert read_validation(tmp_path) is None
    made = Validation(("00001", "00002"), Choice(3, 0.5, 1.25, 0.7, 0.05), Choice(7, 0.4, 1.5))
    made.write(tmp_path)
    assert read_validation(tmp_path) == made


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clips": [1], "validated": {}, "last": {}}', "[" * 100000])
def test_a_damaged_choice_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / VALIDATION).write_text(text)
    with pytest.raises(WeightsError, match="does not say what was chosen") as error:
        read_validation(tmp_path)
    assert "\n" not in str(error.value)
    values = json.loads('{"clips": [], "validated": {"epoch": 1, "war": "x", "temperature": 1}, "last": {}}')
    (tmp_path / VALIDATION).write_text(json.dumps(values))
    with pytest.raises(WeightsError):
        read_validation(tmp_path)
