"""Shards, folds and a profile so small that a training takes about a second."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from devtools.shard_files import write_shards
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import ClipRecord

NETWORK = {
    "image_size": 32,
    "widths": [4, 6, 8],
    "spatial_depth": 1,
    "spatial_mlp": 8,
    "temporal_depth": 1,
    "temporal_mlp": 8,
}
RECIPE = {"epochs": 2, "batch": 4, "lr": 0.05}


@dataclass(frozen=True)
class Corpora:
    """Where things lie, and the options that name them."""

    root: Path
    dfew: list[str]
    afew: list[str]


def write_corpus(folder: Path, corpus: str, clips: int) -> list[str]:
    """Clips of noise with one bright spot, every emotion in turn; AFEW's first third is its validation."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(clips):
        frames = rng.integers(0, 60, (18, 32, 32, 3), dtype=np.uint8)
        frames[:, 4 * (number % 7) : 4 * (number % 7) + 8, 8:16] = 220
        split = ("val" if number < clips / 3 else "train") if corpus == "afew" else ""
        made.append((ClipRecord(corpus, f"{number:05d}", EMOTIONS[number % 7], split, 18, "0" * 64), frames))
    folder.mkdir(parents=True)
    write_shards(made, folder, prefix=corpus, clips_per_shard=8)
    return [record.clip_id for record, _ in made]


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Corpora:
    """Both corpora, and the profile ``tiny`` as the shell's."""
    monkeypatch.setenv("NRDFER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NRDFER_PROFILES", str(tmp_path))
    monkeypatch.setenv("NRDFER_PROFILE", "tiny")
    for name in ("NRDFER_AFEW_ROOT", "NRDFER_DFEW_ROOT", "NRDFER_WEIGHTS", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    profile = {
        "name": "tiny",
        "description": "As small as can be.",
        "model_settings": NETWORK,
        "dfew_recipe": RECIPE,
        "afew_recipe": RECIPE,
        "engine": {"device": "cpu", "threads": 1, "workers": 0, "checkpoint_every_batches": 1},
    }
    (tmp_path / "tiny.yaml").write_text(json.dumps(profile))
    ids = write_corpus(tmp_path / "dfew", "dfew", 21)
    write_corpus(tmp_path / "afew", "afew", 21)
    folds = {"1": {"train": ids[:14], "test": ids[14:]}, "2": {"train": ids[7:], "test": ids[:7]}}
    (tmp_path / "folds.json").write_text(json.dumps(folds))
    dfew = ["--shards", str(tmp_path / "dfew"), "--folds", str(tmp_path / "folds.json")]
    return Corpora(tmp_path, dfew, ["--shards", str(tmp_path / "afew")])
