from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.evaluation.calibration import temperature_of
from nrdfer.reporting.trust import across_folds, calibrated_reliability, leaks_section


def table(scale: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 7, 300)
    logits = scale * (rng.normal(size=(300, 7)) + 2 * np.eye(7)[truth])
    return pd.DataFrame({f"logit_{k}": logits[:, k] for k in range(7)}).assign(
        emotion=[EMOTIONS[k] for k in truth], vetoed=False
    )


def test_a_folds_temperature_is_the_other_folds() -> None:
    tables = {f"fd{k}": table(3.0, k) for k in range(1, 4)}
    found = across_folds(tables, EMOTIONS)
    others = pd.concat([tables["fd1"], tables["fd3"]], ignore_index=True)
    assert found["fd2"] == pytest.approx(temperature_of(others, EMOTIONS))
    poisoned = {**tables, "fd2": tables["fd2"].assign(emotion="fear")}  # its own labels do not matter
    assert across_folds(poisoned, EMOTIONS)["fd2"] == found["fd2"]
    plain = calibrated_reliability(tables, EMOTIONS, dict.fromkeys(tables, 1.0))
    assert calibrated_reliability(tables, EMOTIONS, found).ece < plain.ece


def test_leaks_that_were_not_looked_for_name_the_command(tmp_path: Path) -> None:
    section = leaks_section({}, {})
    assert section.facts == () and "    nrdfer corpus leaks dfew\n    nrdfer corpus leaks afew" in section.open
