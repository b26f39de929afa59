"""Both halves of the training's bench train one network on the same clips, and its arithmetic is right."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from nrdfer.core.errors import TrainingError
from nrdfer.runtime.engine import Engine
from nrdfer.training.recipe import RECIPES

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
TINY = {"widths": [8, 8, 16], "spatial_depth": 1, "spatial_mlp": 8, "temporal_depth": 1, "temporal_mlp": 8}


@pytest.fixture(scope="module")
def parts() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT / "bench")
        return {name: import_module(name) for name in ("train", "training.gpu", "training.clocks", "training.ways")}


@pytest.fixture(scope="module")
def bench(parts: dict[str, Any]) -> Any:
    return parts["train"]


@pytest.fixture(scope="module")
def gpu(parts: dict[str, Any]) -> Any:
    return parts["training.gpu"]


@pytest.fixture(scope="module")
def folders(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made: list[Path] = bench.render_pictures(tmp_path_factory.mktemp("pictures"), 4, 20)
    return made


def prepared(bench: Any, folders: list[Path], shards: Path, augmented: bool = True, **engine: Any) -> Any:
    settings = bench.resolve_settings("nr-dfernet", TINY)
    recipe = dataclasses.replace(RECIPES["dfew-paper"], batch=2)
    if not augmented:
        recipe = dataclasses.replace(recipe, augment=None)  # type: ignore[arg-type]  # as in testing
    engines = {"reference": Engine(device="cpu", **engine)}
    return bench.prepare(folders, shards, settings, recipe, engines, CPU)


def test_both_halves_see_the_same_clips(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    made = prepared(bench, folders, tmp_path, augmented=False)
    ours = made.ours["reference"].loader
    parts = [torch.tensor(part).numpy() for part in ([2, 0], [1, 3])]
    pairs = list(zip(made.plain.batches(parts), ours.batches(parts, 1), strict=True))
    for (x_BTCHW, y_B), batch in pairs:
        assert (x_BTCHW.shape, x_BTCHW.dtype) == (batch.x_BTCHW.shape, batch.x_BTCHW.dtype)
        assert y_B.tolist() == batch.y_B.tolist()
        difference = float((x_BTCHW - batch.x_BTCHW).abs().mean())
        assert difference < 4 / 255
        # and they are these clips, not just any
        assert float((x_BTCHW.flip(0) - batch.x_BTCHW).abs().mean()) > 2 * difference
    assert pairs[0][0][1].tolist() == [2, 0]


def test_both_halves_train_the_same_function(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    made = prepared(bench, folders, tmp_path)
    plain, ours = made.plain.model, made.ours["reference"].learner.model
    kernels = [next(p for p in model.parameters() if p.ndim == 4 and p.shape[1] > 1) for model in (plain, ours)]
    assert [k.is_contiguous() for k in kernels] == [True, False]  # each in its own memory layout
    seen: list[bool] = []
    for part in plain.stem:
        part.register_forward_hook(lambda _, __, out: seen.append(out.is_contiguous()))
    x_BTCHW = torch.rand(2, 16, 3, 112, 112)
    with torch.no_grad():
        logits = plain.eval()(x_BTCHW), ours.eval()(x_BTCHW)
    assert seen and all(seen)
    torch.testing.assert_close(*logits, atol=1e-4, rtol=0)
    assert float((logits[0][0] - logits[0][1]).abs().max()) > 1e-4  # clips differ by more than the halves may


def test_both_halves_learn(bench: Any, folders: list[Path], tmp_path: Path) -> None:
    made = prepared(bench, folders, tmp_path)
    parts = [torch.tensor(part).numpy() for part in ([2, 0], [1, 3])]
    ours = made.ours["reference"]
    for way, model in ((made.plain, made.plain.model), (ours, ours.learner.model)):
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        assert all(waited >= 0 for waited in way.steps(parts, 1))
        changed = [name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])]
        assert {name for name, _ in model.named_parameters()} <= set(changed)


def test_a_loss_that_is_no_number_is_not_timed(parts: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match="nan"):
        parts["training.ways"].check(float("nan"))


def test_the_share_of_the_peak(gpu: Any) -> None:
    # 6.33 G multiply-adds forward are 38 G operations of a step; 1,000 clips/s of 100 T operations/s
    assert gpu.share_of_peak(1000, 6.33e9, 100e12) == pytest.approx(0.3798)


def test_the_projection_is_dfews(gpu: Any) -> None:
    # an epoch: 9,356 / 9,356 + 2,341 / 2,341 = 2 s; a fold: 10 s of decoding and 70 epochs
    assert gpu.projected_hours(9356, 2341, 90_170.3) == pytest.approx(5 * (10 + 70 * 2) / 3600)
    assert gpu.projected_hours(9356 / 2, 2341, 90_170.3) == pytest.approx(5 * (10 + 70 * 3) / 3600)


def test_what_a_gpu_is_asked_is_asked_of_this_cpu(bench: Any, gpu: Any, folders: list[Path], tmp_path: Path) -> None:
    made = prepared(bench, folders, tmp_path, cache="ram")
    ours = {"a": made.ours["reference"]}
    rate, macs = 50.0, 10**9
    told = gpu.on_gpu(ours, {"a": rate}, macs, made.reader, made.cache, made.decode_rate, device=CPU, side=64)
    assert set(told) == {"matmul_peak_tflops", "share_of_peak", "dfew_five_folds_70_epochs", "cache"}
    assert told["share_of_peak"]["a"] > 0
    figures = told["dfew_five_folds_70_epochs"]["a"]
    hours = gpu.projected_hours(rate, figures["test_clips_per_second"], made.decode_rate)
    assert figures["hours"] == pytest.approx(hours, rel=0.01)
    assert told["cache"]["kind"] == "ram"
    assert told["cache"]["gigabytes_at_dfew"] == 33.9
    assert ours["a"].learner.model.training  # as it was
    assert gpu.matmul_peak(CPU, torch.float32, 32, 2) > 0


def test_the_headline_is_the_quickest_of_its_precision(parts: dict[str, Any]) -> None:
    def row(precision: str, rate: float) -> dict[str, Any]:
        engine = {"precision": precision}
        return {"engine": engine, "clips_per_second": rate, "ratio": rate / 5, "ratio_of_process_seconds": None}

    best = parts["training.clocks"].best
    rows = {"a": row("bf16", 10), "b": row("bf16", 20), "c": row("fp32", 7), "d": {"engine": {"precision": "fp32"}}}
    assert best(rows, "bf16")["engine"] == "b"
    assert best(rows, "fp32")["engine"] == "c"
    assert best({"d": rows["d"]}, "fp32") is None


def test_the_bench_prints_every_figure(tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    command = [sys.executable, "bench/train.py", "--clips", "3", "--frames", "18", "--batch", "2", "--rounds", "1"]
    command += ["--steps", "1", "--engines", "reference,bf16,fp32-compile-fused", "--settings", json.dumps(TINY)]
    # a machine without a compiler: the row says so, and the others are measured
    missing = {
        "CXX": str(tmp_path / "no-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), **missing}
    command += ["--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == file.read_text()
    told = json.loads(done.stdout)
    assert (told["bench"], told["clips"], told["batch"], told["gpu"]) == ("train", 3, 2, "none on this machine")
    rows = told["ours"]
    assert list(rows) == ["reference", "bf16", "fp32-compile-fused"]
    assert "no-compiler" in rows["fp32-compile-fused"]["left_out"]
    assert "ratio" not in rows["fp32-compile-fused"]
    for figures in (told["plain"], rows["reference"], rows["bf16"]):
        assert figures["clips_per_second"] > 0
        assert 0 <= figures["waiting_share"] <= 1
        assert figures["warm_up_seconds"] >= 0
    for precision, name in (("fp32", "reference"), ("bf16", "bf16")):
        assert told["headline"][precision]["engine"] == name
        assert told["headline"][precision]["ratio"] == rows[name]["ratio"] > 0
        assert rows[name]["engine"]["precision"] == precision
    on_a_gpu = ("matmul_peak_tflops", "share_of_peak", "dfew_five_folds_70_epochs", "cache")
    assert all(told[name] is None for name in on_a_gpu)
    assert told["gflop_training_a_clip"] == pytest.approx(6 * told["gmacs_forward_a_clip"], rel=0.02)


def test_a_file_of_somebody_else_is_refused_before_the_work(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, link = tmp_path / "thesis.json", tmp_path / "link.json"
    mine.write_text("two years")
    link.symlink_to(mine)
    monkeypatch.setattr(bench, "set_up", lambda *_: pytest.fail("it began"))
    monkeypatch.setattr("sys.argv", ["train.py", "--json", str(link)])
    with pytest.raises(SystemExit):
        bench.main()
    assert "link.json is there and is a link; it is left as it is" in capsys.readouterr().err
    assert mine.read_text() == "two years"
