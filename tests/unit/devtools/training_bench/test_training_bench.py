"""Both halves of the training's bench train one network on the same clips, and its arithmetic is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from devtools.picture_folders import render_pictures
from devtools.training_bench import clocks, gpu, ways
from devtools.training_bench.prepare import Bench, prepare
from nrdfer.config.recipe import RECIPES
from nrdfer.core.errors import TrainingError
from nrdfer.models.nrdfernet import NRDFERNetSettings
from nrdfer.models.registry import resolve_settings
from nrdfer.runtime.engine import Engine

CPU = torch.device("cpu")
TINY = {"widths": [8, 8, 16], "spatial_depth": 1, "spatial_mlp": 8, "temporal_depth": 1, "temporal_mlp": 8}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made: list[Path] = render_pictures(tmp_path_factory.mktemp("pictures"), 4, 20)
    return made


def prepared(folders: list[Path], shards: Path, augmented: bool = True, **engine: Any) -> Bench:
    settings = resolve_settings("nr-dfernet", TINY)
    assert isinstance(settings, NRDFERNetSettings)
    recipe = dataclasses.replace(RECIPES["dfew-paper"], batch=2)
    if not augmented:
        recipe = dataclasses.replace(recipe, augment=None)  # type: ignore[arg-type]  # as in testing
    engines = {"reference": Engine(device="cpu", **engine)}
    return prepare(folders, shards, settings, recipe, engines, CPU)


def test_both_halves_see_the_same_clips(folders: list[Path], tmp_path: Path) -> None:
    made = prepared(folders, tmp_path, augmented=False)
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


def test_both_halves_train_the_same_function(folders: list[Path], tmp_path: Path) -> None:
    made = prepared(folders, tmp_path)
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


def test_both_halves_learn(folders: list[Path], tmp_path: Path) -> None:
    made = prepared(folders, tmp_path)
    parts = [torch.tensor(part).numpy() for part in ([2, 0], [1, 3])]
    ours = made.ours["reference"]
    for way, model in ((made.plain, made.plain.model), (ours, ours.learner.model)):
        before = {name: weight.clone() for name, weight in model.state_dict().items()}
        assert all(waited >= 0 for waited in way.steps(parts, 1))
        changed = [name for name, weight in model.state_dict().items() if not torch.equal(weight, before[name])]
        assert {name for name, _ in model.named_parameters()} <= set(changed)


def test_a_loss_that_is_no_number_is_not_timed() -> None:
    with pytest.raises(TrainingError, match="nan"):
        ways.check(float("nan"))


def test_the_share_of_the_peak() -> None:
    # 6.33 G multiply-adds forward are 38 G operations of a step; 1,000 clips/s of 100 T operations/s
    assert gpu.share_of_peak(1000, 6.33e9, 100e12) == pytest.approx(0.3798)


def test_the_projection_is_dfews() -> None:
    # an epoch: 9,356 / 9,356 + 2,341 / 2,341 = 2 s; a fold: 10 s of decoding and 70 epochs
    assert gpu.projected_hours(9356, 2341, 90_170.3) == pytest.approx(5 * (10 + 70 * 2) / 3600)
    assert gpu.projected_hours(9356 / 2, 2341, 90_170.3) == pytest.approx(5 * (10 + 70 * 3) / 3600)


def test_what_a_gpu_is_asked_is_asked_of_this_cpu(folders: list[Path], tmp_path: Path) -> None:
    made = prepared(folders, tmp_path, cache="ram")
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


def test_the_headline_is_the_quickest_of_its_precision() -> None:
    def row(precision: str, rate: float) -> dict[str, Any]:
        engine = {"precision": precision}
        return {"engine": engine, "clips_per_second": rate, "ratio": rate / 5, "ratio_of_process_seconds": None}

    best = clocks.best
    rows = {"a": row("bf16", 10), "b": row("bf16", 20), "c": row("fp32", 7), "d": {"engine": {"precision": "fp32"}}}
    assert best(rows, "bf16")["engine"] == "b"
    assert best(rows, "fp32")["engine"] == "c"
    assert best({"d": rows["d"]}, "fp32") is None
