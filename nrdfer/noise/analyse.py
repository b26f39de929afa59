"""Step: the findings of the noise benchmark from its trainings' predictions.

What is measured belongs to ``nrdfer.noise``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from nrdfer.config.noise import NoiseSettings
from nrdfer.noise.corpus import read_truth
from nrdfer.noise.findings import Findings
from nrdfer.noise.measure import build_panel
from nrdfer.noise.report import write_findings
from nrdfer.noise.training import PREDICTIONS
from nrdfer.store import Store

TRAINING, TRAININGS = "noise/training", "trainings.json"


def measure(settings: NoiseSettings, clips: Path, measurements: Path, store: Store, out: Path) -> dict[str, Any]:
    """Write all findings into `out`; returns the outcomes of the paper's claims.

    Args:
        settings: of the benchmark.
        clips: folder of the clips and their truth.
        measurements: folder that lists the trainings.
        store: that holds them.
        out: receives the files.

    Raises:
        StoreError: a training is gone or damaged.
        NrdferError: a training lacks a clip.
    """
    rows = json.loads((measurements / TRAININGS).read_text())
    predictions = {
        (row["network"], row["seed"]): pd.read_parquet(store.open(TRAINING, row["digest"]).path / PREDICTIONS)
        for row in rows
    }
    panel = build_panel(predictions, read_truth(clips), settings)
    return write_findings(Findings(panel, settings), settings, out)
