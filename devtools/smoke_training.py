"""A training of seconds through the installed package, tracked in MLflow: ``python devtools/smoke_training.py FOLDER``.

Run as a file and not as a module, so that the package is taken from where it is installed and not from the checkout; so
nothing of the checkout is imported. Each emotion is a bright spot at a place of its own, in noise.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nrdfer.cli import app
from nrdfer.core.records import ClipRecord
from nrdfer.corpora.dfew import DFEW
from nrdfer.shards.writer import EncodedClip, publish_groups, shard_name, write_group
from nrdfer.video.jpeg import encode_jpeg

CLIPS, TRAINED, FRAMES, SIDE = 28, 21, 18, 32
NETWORK = {"image_size": SIDE, "widths": [4, 6, 8], "temporal_mlp": 8, "spatial_mlp": 8}
RECIPE = {"epochs": 2, "batch": 4, "lr": 0.02}
ENGINE = {"device": "cpu", "threads": 1, "workers": 1}


def clips() -> Iterator[EncodedClip]:
    """Clips with their frames as JPEGs."""
    rng = np.random.default_rng(0)
    for number in range(CLIPS):
        kind = number % len(DFEW.emotions)
        frames = rng.integers(0, 60, (FRAMES, SIDE, SIDE, 3), dtype=np.uint8)
        angle = 2 * np.pi * kind / len(DFEW.emotions)
        y, x = int(16 + 10 * np.sin(angle)), int(16 + 10 * np.cos(angle))
        frames[:, y - 4 : y + 4, x - 4 : x + 4] = 220
        record = ClipRecord("dfew", f"{number:05d}", DFEW.emotions[kind], "", FRAMES, "0" * 64)
        yield record, [encode_jpeg(frame, 95) for frame in frames]


def line_of(folder: Path) -> list[str]:
    """Write shards and folds, and return the arguments that train on them."""
    (folder / "work").mkdir(parents=True)
    names = [shard_name("spots", number) for number in range(2)]
    made = list(clips())
    for name, group in zip(names, (made[: CLIPS // 2], made[CLIPS // 2 :]), strict=True):
        write_group(group, folder / "work", name)
    (folder / "shards").mkdir()
    publish_groups(folder / "work", names, folder / "shards")
    ids = [record.clip_id for record, _ in made]
    (folder / "folds.json").write_text(json.dumps({"1": {"train": ids[:TRAINED], "test": ids[TRAINED:]}}))
    line = ["train", "fd1", "--profile", "sample", "--recipe", "dfew-paper", "--out", str(folder / "out")]
    line += ["--shards", str(folder / "shards"), "--folds", str(folder / "folds.json")]
    for option, fields in (("--set", RECIPE), ("--engine", ENGINE), ("--model-set", NETWORK)):
        for name, value in fields.items():
            line += [option, f"{name}={json.dumps(value)}"]
    return line


if __name__ == "__main__":
    app(line_of(Path(sys.argv[1])))
