"""The line of a training that several machines share, and what it leaves."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nrdfer.models.trained_files import BEST, HISTORY, LAST

EPOCHS = 6  # of six batches
PATIENCE = 420  # seconds for a machine under load


def arguments(corpus: Path, out: Path, epochs: int = EPOCHS, **engine: object) -> list[str]:
    """Arguments of ``nrdfer``; the engine saves after every batch."""
    network = {"image_size": 32, "widths": [4, 6, 8], "temporal_mlp": 8, "spatial_mlp": 8, "dropout": 0.1}
    recipe = {"epochs": epochs, "batch": 4, "lr": 0.02}
    engine = {"device": "cpu", "threads": 1, "workers": 1, "checkpoint_every_batches": 1, **engine}
    line = ["train", "fd1", "--no-track", "--profile", "sample", "--recipe", "dfew-paper", "--out", str(out)]
    line += ["--shards", str(corpus / "shards"), "--folds", str(corpus / "folds.json")]
    for option, fields in (("--set", recipe), ("--engine", engine), ("--model-set", network)):
        for name, value in fields.items():
            line += [option, f"{name}={json.dumps(value)}"]
    return line


def environment(home: Path) -> dict[str, str]:
    """Variables of a machine; all talk over the loopback interface."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NRDFER_")}
    return {**kept, "NRDFER_HOME": str(home), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}


def content(out: Path) -> dict[str, bytes]:
    """Files that must be the same whoever trained."""
    return {name: (out / name).read_bytes() for name in (LAST, BEST, HISTORY)}


def saved_batches(out: Path) -> int:
    """How far the newest checkpoint is."""
    return max((int(path.stem.rpartition("-")[2]) for path in (out / "work").glob("checkpoint-*.pt")), default=0)
