"""The training's bench from its command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
TINY = {"widths": [8, 8, 16], "spatial_depth": 1, "spatial_mlp": 8, "temporal_depth": 1, "temporal_mlp": 8}
#: Laid out as Former-DFER's released code is.
STAND_IN = """
from torch import nn


class GenerateModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(3, 7)

    def forward(self, x):
        return self.head(x.mean((1, 3, 4)))
"""


@pytest.mark.slow
def test_the_bench_prints_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    command = [sys.executable, "-m", "bench.train", "--clips", "3", "--frames", "18", "--batch", "2", "--rounds", "1"]
    command += ["--steps", "1", "--engines", "reference,bf16,fp32-compile-fused,auto", "--settings", json.dumps(TINY)]
    (tmp_path / "theirs" / "models").mkdir(parents=True)
    (tmp_path / "theirs" / "models" / "ST_Former.py").write_text(STAND_IN)
    command += ["--against-former-dfer", str(tmp_path / "theirs")]
    # a machine without a compiler: the row says so, and the others are measured
    missing = {
        "CXX": str(tmp_path / "no-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }
    environment = {**os.environ, **missing}
    command += ["--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == file.read_text()
    told = json.loads(done.stdout)
    assert (told["bench"], told["clips"], told["batch"], told["gpu"]) == ("train", 3, 2, "none on this machine")
    rows = told["ours"]
    assert list(rows) == ["reference", "bf16", "fp32-compile-fused", "auto"]
    assert rows["auto"]["engine"]["auto"] and told["former_dfer"]["clips_per_second"] > 0
    assert all(rows[name]["ratio_to_former_dfer"] > 0 for name in ("reference", "bf16", "auto"))
    assert "no-compiler" in rows["fp32-compile-fused"]["left_out"]
    assert "ratio" not in rows["fp32-compile-fused"]
    for figures in (told["plain"], rows["reference"], rows["bf16"]):
        assert figures["clips_per_second"] > 0
        assert 0 <= figures["waiting_share"] <= 1
        assert figures["warm_up_seconds"] >= 0
    for precision, name in (("fp32", "reference"), ("bf16", "bf16")):
        assert told["headline"][precision]["engine"] in (name, "auto")  # what auto picked is measured as well
        assert told["headline"][precision]["ratio"] > 0 and rows[name]["ratio"] > 0
        assert rows[name]["engine"]["precision"] == precision
    on_a_gpu = ("matmul_peak_tflops", "share_of_peak", "dfew_five_folds_70_epochs", "cache")
    assert all(told[name] is None for name in on_a_gpu)
    assert told["gflop_training_a_clip"] == pytest.approx(6 * told["gmacs_forward_a_clip"], rel=0.02)


def test_a_file_of_somebody_else_is_refused_before_the_work(tmp_path: Path) -> None:
    mine, link = tmp_path / "thesis.json", tmp_path / "link.json"
    mine.write_text("two years")
    link.symlink_to(mine)
    line = [sys.executable, "-m", "bench.train", "--json", str(link)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=120)
    assert done.returncode == 2
    assert "link.json is there and is a link; it is left unchanged" in done.stderr
    assert "ready after" not in done.stderr  # the first that is said of the work
    line = [sys.executable, "-m", "bench.train", "--against-former-dfer", str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=PROJECT, timeout=120)
    assert done.returncode == 2 and "does not hold models/ST_Former.py" in done.stderr
    assert (mine.read_text(), done.stdout) == ("two years", "")
