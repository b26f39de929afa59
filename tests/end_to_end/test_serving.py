"""Served answers are the offline ones: for tensors, for a video by its path, and for a video's bytes."""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.own_files import NOTES
from nrdfer.data.dataset import ClipDataset
from nrdfer.evaluation.inference import evaluate
from nrdfer.models.saved_model import load_model, read_sampling
from nrdfer.registry import find_weights
from nrdfer.shards.reader import ShardReader
from tests.conftest import PROJECT
from tests.end_to_end.commands import Run, called, inside
from tests.end_to_end.serving import PORT, VIDEOS, ask, line_of_page, post, served

CLIPS, AT_ONCE = 20, 5


def model_files(run: Run, address: str) -> tuple[Path, Path]:
    with inside(run):
        return find_weights(address)


def logits_of(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    return table[[f"logit_{name}" for name in EMOTIONS]].to_numpy(np.float64)


def test_twenty_clips_of_crops_are_answered_as_offline(reproduced: Run) -> None:
    model = "models:/nr-dfernet-dfew@champion"
    settings, weights = model_files(reproduced, model)
    (shards,) = (reproduced[0] / ".nrdfer/store/dfew/shards").glob("*")
    sampling = read_sampling(settings)
    with ShardReader(shards) as reader:
        ids = sorted(reader.clip_ids)[:CLIPS]
        offline = evaluate(load_model(settings, weights), reader, ids, sampling=sampling)
        data = ClipDataset(reader, ids, image_size=48, emotions=EMOTIONS, sampling=sampling)
        crops = [
            reader.frames(clip_id, data.plan(position).indices).transpose(0, 3, 1, 2) / 255.0
            for position, clip_id in enumerate(ids)
        ]
    line = line_of_page(f"nrdfer serve {model}")
    assert line[3:] == ["--port", PORT]  # the page's may be taken
    with served(reproduced, line[2]) as address:
        answers = pd.concat(
            [
                ask(address, {"inputs": {"clip": [clip.tolist() for clip in crops[start : start + AT_ONCE]]}})
                for start in range(0, CLIPS, AT_ONCE)
            ],
            ignore_index=True,
        )
    assert len(answers) == CLIPS
    expected = offline[[f"logit_{k}" for k in range(len(EMOTIONS))]].to_numpy(np.float64)
    np.testing.assert_allclose(logits_of(answers), expected, atol=1e-5, rtol=0)
    assert answers["emotion"].tolist() == offline["predicted"].tolist()


def test_videos_are_answered_as_the_evaluation_did(reproduced: Run) -> None:
    folder = reproduced[0]
    (evaluation,) = (folder / ".nrdfer/store/afew/evaluation").glob("*")
    table = pd.read_parquet(evaluation / "predictions_honest.parquet").set_index("clip_id")
    (listing,) = (folder / ".nrdfer/store/afew/videos").glob("*/listing.json")
    videos = {row["clip_id"]: row["path"] for row in json.loads(listing.read_text())["clips"]}
    ids = sorted(table.index)[:3]
    expected = table.loc[ids, [f"logit_{k}" for k in range(len(EMOTIONS))]].to_numpy(np.float64)
    model, corpus = "models:/nr-dfernet-afew-video@champion", str(folder / ".nrdfer" / "corpus")
    line = [word.replace(VIDEOS, corpus) for word in line_of_page(f"nrdfer serve {model}")]
    with served(reproduced, *line[2:], "--answer", "clip") as address:
        by_path = ask(address, {"dataframe_records": [{"path": videos[clip_id]} for clip_id in ids]})
        typed = line_of_page("curl ")
        page = {f"http://127.0.0.1:{PORT}/invocations": address, f"{VIDEOS}/my_video.mp4": videos[ids[0]]}
        for there, here in page.items():
            assert any(there in word for word in typed)
            typed = [word.replace(there, here) for word in typed]
        if shutil.which("curl") is not None:
            told = subprocess.run(typed, capture_output=True, text=True, timeout=300)
            assert [row["status"] for row in json.loads(told.stdout)["predictions"]] == ["ok"], told
        content = [base64.b64encode(Path(videos[clip_id]).read_bytes()).decode() for clip_id in ids]
        by_bytes = ask(address, {"dataframe_records": [{"video": text} for text in content]})
        odd = ask(address, {"dataframe_records": [{"path": f"{corpus}/nowhere.avi"}, {"path": "http://a/b.mp4"}]})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            post(address, {"dataframe_records": [{"path": "/etc/passwd"}]})
    for answers in (by_path, by_bytes):
        np.testing.assert_allclose(logits_of(answers), expected, atol=1e-5, rtol=0)
        assert answers["emotion"].tolist() == table.loc[ids, "predicted"].tolist()
        assert answers["status"].tolist() == ["ok"] * len(ids)
    assert odd["status"].tolist() == ["unreadable"] * 2
    assert "nowhere.avi" in odd["reason"][0] and "only local files" in odd["reason"][1]


def test_a_changed_version_is_not_served(reproduced: Run) -> None:
    settings, _ = model_files(reproduced, "models:/nr-dfernet-afew@champion")
    content = settings.read_bytes()
    settings.write_bytes(content + b" ")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "nrdfer.cli", "serve", "models:/nr-dfernet-afew@champion", "--port", "1"],
            cwd=reproduced[0], env=reproduced[1], capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    finally:
        settings.write_bytes(content)
    assert done.returncode == 1
    assert "is refused, and nothing of it was loaded: artifacts/model.json has the sha256" in done.stderr


def test_the_exports_of_the_page_are_made(reproduced: Run, tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "models.md").read_text()
    lines = re.findall(r"^ {4}(nrdfer export .*)$", page, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        words = [str(tmp_path / word) if "." in word else word for word in shlex.split(line, comments=True)]
        done = called(reproduced, *words[1:])
        assert done.returncode == 0, done.stderr
        assert "(B, 16, 3, 48, 48)" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [NOTES, "emotion.onnx", "emotion.pt2"]
