"""Step: the findings of the noise benchmark from what its stages and trainings answered.

What is measured belongs to ``measure``, what is compared to ``contrasts``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nrdfer.config.noise import NoiseSettings
from nrdfer.noise.backbones import TESTED_FRAMES, tested_clips
from nrdfer.noise.findings import counts, find
from nrdfer.noise.measure import Grid, Measured, read_networks, read_premise, read_stages
from nrdfer.noise.mechanism import noise_seen
from nrdfer.noise.report import write_findings
from nrdfer.noise.training import PREDICTIONS
from nrdfer.store import Store

BACKBONE, STAGES, TRAINING = "noise/backbone", "noise/stages", "noise/training"
LIST = "made.json"


def read_measured(settings: NoiseSettings, clips: Path, made: list[dict[str, Any]], store: Store) -> Measured:
    """Everything that was measured, from the artefacts that a list names.

    Args:
        settings: of the benchmark.
        clips: folder of the clips and their truth.
        made: rows of ``asset`` and ``digest``, and ``number``, ``arm``, ``network`` or ``seed`` by the asset.
        store: that holds them.

    Raises:
        StoreError: an artefact is gone or damaged.
        NrdferError: a training lacks a clip.
    """

    def paths(asset: str, *names: str) -> dict[Any, Path]:
        rows = [row for row in made if row["asset"] == asset]
        return {tuple(row[name] for name in names): store.open(asset, row["digest"]).path for row in rows}

    rows, backbones = tested_clips(clips), paths(BACKBONE, "number")
    features = [backbones[number,] for number in range(settings.backbones)]
    frames = np.load(features[0] / TESTED_FRAMES)
    tables = {key: pd.read_parquet(path / PREDICTIONS) for key, path in paths(TRAINING, "network", "seed").items()}
    return Measured(
        Grid.of(rows, frames, settings),
        read_stages(paths(STAGES, "number", "arm"), settings),
        read_networks(tables, rows, noise_seen(rows, frames), settings),
        read_premise(features, rows),
    )


def measure(settings: NoiseSettings, clips: Path, lists: Sequence[Path], store: Store, out: Path) -> dict[str, Any]:
    """Write all findings into `out`; returns the number of claims by verdict, and what was registered.

    Raises:
        StoreError: see `read_measured`.
        NrdferError: see `read_measured`.
    """
    made = [row for folder in lists for row in json.loads((folder / LIST).read_text())]
    found = find(read_measured(settings, clips, made, store), settings)
    write_findings(found, out)
    return {**counts(found), "registered": found["registered_sha256"]}
