"""The profile ``paper`` as shipped, on rendered corpora in place of the user's: full network, pretrained detector.

Only the run config differs from what a researcher types: where the corpora and the weights lie, and one epoch each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from devtools.tiny_project import PROJECT, make_project
from nrdfer.enhance.generator import EnlightenGenerator

SHARED = PROJECT.parent / "shared" / "weights"


@pytest.fixture
def corpora(untouched: tuple[Path, dict[str, str], str]) -> Path:
    """The corpora that the tiny profile has rendered, in the place of a user's own."""
    (afew,) = (untouched[0] / ".nrdfer" / "corpus").glob("*/AFEW")
    return afew.parent


@pytest.fixture
def enlightengan(tmp_path: Path) -> Path:
    """A file like the original ``200_net_G_A.pth``: its 131 tensors under the wrapper's names; it brightens."""
    torch.manual_seed(0)
    state = EnlightenGenerator().state_dict()
    assert len(state) == 131
    state["conv10.weight"].zero_()
    state["conv10.bias"].fill_(0.9)
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "200_net_G_A.pth")
    return tmp_path / "200_net_G_A.pth"


def test_the_paper_profile_runs_end_to_end(tmp_path: Path, corpora: Path, enlightengan: Path) -> None:
    folder = tmp_path / "project"
    environment = make_project(folder)
    del environment["NRDFER_PROFILES"]
    weights = {"enlightengan": str(enlightengan)}
    if SHARED.is_dir():  # the official MobileNet; without it, the shipped detector takes its place
        environment["NRDFER_WEIGHTS"] = str(SHARED)
        weights["retinaface"] = "retinaface-mobilenet0.25"
    else:
        weights["retinaface"] = "sample"
    environment |= {
        "NRDFER_PROFILE": "paper",
        "NRDFER_AFEW_ROOT": str(corpora / "AFEW"),
        "NRDFER_DFEW_ROOT": str(corpora / "DFEW"),
    }
    # the paper's batch of 32 is larger than these corpora
    short = {"epochs": 1, "batch": 7}
    overrides = {"weights": weights, "dfew_recipe": {**short, "batch": 28}, "afew_recipe": short}
    # the resource's other fields keep what the environment says
    run_config = {"resources": {"workbench": {"config": {"overrides": overrides}}}}
    # one fold and AFEW, which begins with it: the full network takes half a minute a training here
    wanted = '+key:"dfew/fd1/evaluation" or +key:"afew/evaluation"'
    line = ["dagster", "asset", "materialize", "--select", wanted, "--config-json", json.dumps(run_config)]
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-6000:]

    store = folder / ".nrdfer" / "store"
    for evaluation in ("dfew/fd1/evaluation", "afew/evaluation"):
        (metrics,) = store.glob(f"{evaluation}/*/metrics.json")
        assert {protocol["clips"] for protocol in json.loads(metrics.read_text()).values()} == {7}
    (described,) = store.glob("dfew/fd1/checkpoint/*/model.json")
    trained = json.loads(described.read_text())
    assert trained["settings"]["widths"] == [64, 128, 256]
    assert (trained["recipe"]["epochs"], trained["recipe"]["batch"], trained["recipe"]["lr"]) == (1, 28, 0.001)
    (weights_file,) = store.glob("dfew/fd1/checkpoint/*/last.safetensors")
    assert weights_file.stat().st_size > 31_323_463 * 4  # the whole network, not a narrow one

    code = """
import json, sys
from pathlib import Path
from nrdfer.shards.reader import ShardReader
(folder,) = Path(sys.argv[1]).glob("afew/shards/[0-9a-f]*")
reader = ShardReader(folder)
records = [reader.record(clip) for clip in reader.clip_ids]
print(json.dumps({
    "enhanced": sorted({record.enhanced for record in records}),
    "faces": sum(frame.has_face for record in records for frame in record.frames),
    "frames": sum(record.n_frames for record in records),
    "size": reader.frames(reader.clip_ids[0]).shape[1],
}))
"""
    shown = subprocess.run([sys.executable, "-c", code, str(store)], capture_output=True, text=True, env=os.environ)
    shards = json.loads(shown.stdout)
    assert shards["enhanced"] == ["enlightengan-crop"]
    assert shards["size"] == 112
    assert shards["faces"] > 0.6 * shards["frames"]
