"""Videos of the corpus, asked about on the command line, get the answers that the graph's evaluation stored."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS

ASKED = 3


@pytest.fixture(scope="module")
def stored(reproduced: tuple[Path, dict[str, str], str]) -> pd.DataFrame:
    """The honest predictions of AFEW's validation."""
    (path,) = (reproduced[0] / ".nrdfer" / "store" / "afew" / "evaluation").glob("*/predictions_honest.parquet")
    return pd.read_parquet(path).set_index("clip_id")


def clip_of(video: Path) -> str:
    """The clip's name in the corpus."""
    return f"val_{video.parent.name}_{video.stem}"


def test_predict_answers_as_the_evaluation_did(
    reproduced: tuple[Path, dict[str, str], str], stored: pd.DataFrame, tmp_path: Path
) -> None:
    folder, environment, _ = reproduced
    videos = sorted((folder / ".nrdfer" / "corpus").glob("*/AFEW/Val_AFEW/*/*.avi"))
    asked = {clip_of(video): video for video in videos if clip_of(video) in stored.index}
    asked = dict(list(asked.items())[:ASKED])
    assert len(asked) == ASKED
    line = ["nrdfer", "predict", *map(str, asked.values()), "--model", "models:/nr-dfernet-afew@champion", "--no-video"]
    line += ["--answer", "clip"]
    done = subprocess.run(
        [*line, "--out", str(tmp_path)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = {row["video"]: row for row in csv.DictReader(file)}
    for clip_id, video in asked.items():
        row, expected = rows[str(video)], stored.loc[clip_id]
        logits = [float(row[f"logit_{name}"]) for name in EMOTIONS]
        np.testing.assert_allclose(logits, [expected[f"logit_{k}"] for k in range(len(EMOTIONS))], atol=1e-5, rtol=0)
        assert row["emotion"] == expected["predicted"]
        assert row["neutral_vetoed"] == str(bool(expected["vetoed"]))
