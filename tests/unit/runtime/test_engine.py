"""What the engine's options may change of a training, and what they must not."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nrdfer.config.recipe import Recipe
from nrdfer.data.in_memory import MemorySource
from nrdfer.runtime.engine import DEVIATIONS, Engine
from nrdfer.tracking.training_log import LOG, last_of_each, read_all
from nrdfer.training.key import TrainingKey
from tests.unit.training.tiny import ENGINE, FILES, RECIPE, SETTINGS, bytes_of, run, spots

#: Another value of every option; those of `FREE` change no result.
OTHERS: dict[str, Any] = {
    "device": "cpu",
    "devices": 2,
    "nodes": 2,
    "sync_bn": True,
    "precision": "bf16",
    "channels_last": False,
    "compile": True,
    "fused": True,
    "graphs": True,
    "auto": True,
    "deterministic": False,
    "threads": 3,
    "test_batch": 64,
    "test_precision": "bf16",
    "workers": 7,
    "cache": "ram",
    "checkpoint_every_batches": 5,
    "checkpoint_every_minutes": 0.0,
}
FREE = {"nodes", "workers", "cache", "checkpoint_every_batches", "checkpoint_every_minutes"}
COMPILER = os.environ.get("CXX", "g++")  # as torch.compile looks for it


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda, not 'tpu'"),
        ({"precision": "fp16"}, "precision must be one of fp32, tf32, bf16"),
        ({"cache": "disk"}, "cache must be one of"),
        ({"devices": -1}, "devices must not be negative"),
        ({"threads": -1}, "threads must not be negative"),
        ({"workers": -2}, "workers must not be negative, but is -2"),
        ({"checkpoint_every_batches": -1}, "checkpoint_every_batches must not"),
        ({"checkpoint_every_minutes": -0.5}, "checkpoint_every_minutes must not"),
        ({"device": "cpu", "devices": 0}, "on a CPU set how many processes"),
        ({"device": "cpu", "cache": "gpu"}, "cache: gpu needs a GPU"),
        ({"device": "cpu", "precision": "tf32"}, "tf32 needs a GPU"),
        ({"device": "cpu", "test_precision": "tf32"}, "test_precision: tf32 needs a GPU"),
        ({"device": "cpu", "graphs": True}, "graphs: true needs a GPU"),
        ({"auto": True, "devices": 2}, "auto: true measures one device"),
        ({"test_batch": 0}, "test_batch must be at least 1, not 0"),
    ],
    ids=str,
)
def test_values_that_cannot_be_meant_are_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Engine(**change)


def test_an_engine_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Engine().precision = "bf16"  # type: ignore[misc]


def _identity(engine: Engine) -> dict[str, Any]:
    recipe = RECIPE.to_dict()
    return TrainingKey("nr-dfernet", SETTINGS, recipe, engine.numerics(), ("a",), ("b",)).checkpoint_identity()


def test_every_option_has_another_value_here() -> None:
    assert list(OTHERS) == [field.name for field in dataclasses.fields(Engine)]
    assert all(getattr(Engine(), name) != value for name, value in OTHERS.items())


@pytest.mark.parametrize("name", OTHERS)
def test_an_option_is_part_of_the_identity_unless_it_changes_no_result(name: str) -> None:
    other = dataclasses.replace(Engine(), **{name: OTHERS[name]})
    assert (other.numerics() == Engine().numerics()) == (name in FREE)
    assert (_identity(other) == _identity(Engine())) == (name in FREE)
    assert not FREE & set(Engine().numerics())


def test_settings_that_came_later_leave_finished_trainings_their_names() -> None:
    assert set(Engine().numerics()) == {
        "device", "devices", "precision", "channels_last", "compile", "fused", "deterministic", "threads", "sync_bn"
    }  # fmt: skip


def test_how_many_devices_is_told_only_where_each_norms_its_own_share() -> None:
    alone, together = Engine(devices=4), Engine(devices=4, sync_bn=True)
    assert alone.numerics()["devices"] == 4
    assert "devices" not in together.numerics()
    assert together.numerics() == Engine(devices=2, sync_bn=True).numerics()


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


def _losses(folder: Path) -> list[float]:
    return [line["loss"] for line in last_of_each(read_all(folder / "work" / LOG), "batch").values()]


@pytest.fixture(scope="module")
def reference(source: MemorySource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    run(source, folder)
    return folder


@pytest.mark.parametrize(
    "change", [{"workers": 2}, {"cache": "ram"}, {"workers": 2, "cache": "ram", "checkpoint_every_batches": 2}], ids=str
)
def test_workers_cache_and_checkpoints_change_nothing(
    source: MemorySource, reference: Path, tmp_path: Path, change: Mapping[str, Any]
) -> None:
    run(source, tmp_path, engine=dataclasses.replace(ENGINE, **change))
    assert _relative((_losses(reference), _losses(tmp_path))) <= DEVIATIONS["workers"] == DEVIATIONS["cache"] == 0
    assert len(_losses(tmp_path)) == 12
    for name in FILES:
        assert bytes_of(tmp_path)[name] == bytes_of(reference)[name], name


#: What the bounds are stated for: one epoch, four steps, no dropout.
SHORT = dataclasses.replace(RECIPE, epochs=1)
PLAIN = {**SETTINGS, "dropout": 0.0}


def _both(
    source: MemorySource,
    folder: Path,
    change: Mapping[str, Any],
    recipe: Recipe = SHORT,
    settings: Mapping[str, Any] = PLAIN,
) -> tuple[list[float], list[float]]:
    """Losses batch by batch: of the reference, and with options changed."""
    pair = []
    for name, engine in (("reference", ENGINE), ("other", dataclasses.replace(ENGINE, **change))):
        run(source, folder / name, recipe, model_settings=settings, engine=engine)
        pair.append(_losses(folder / name))
    return pair[0], pair[1]


def _relative(pair: tuple[list[float], list[float]]) -> float:
    return max(abs(there - here) / here for here, there in zip(*pair, strict=True))


@pytest.mark.parametrize("option", ["fused", "channels_last"])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_options_of_the_reference_precision_only_round(
    source: MemorySource, tmp_path: Path, option: str, optimizer: str
) -> None:
    recipe = dataclasses.replace(SHORT, optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 0.002)
    pair = _both(source, tmp_path, {option: OTHERS[option]}, recipe)
    assert len(pair[0]) == 4
    assert pair[0][0] != pair[0][-1]  # something was learnt in between
    assert _relative(pair) <= DEVIATIONS[option]


def test_bfloat16_stays_near_the_reference(source: MemorySource, tmp_path: Path) -> None:
    pair = [
        run(source, tmp_path / engine.precision, SHORT, model_settings=PLAIN, engine=engine).last.train_loss
        for engine in (ENGINE, dataclasses.replace(ENGINE, precision="bf16"))
    ]
    assert 0 < abs(pair[1] - pair[0]) <= DEVIATIONS["bf16"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"torch.compile needs a C++ compiler; no {COMPILER} here")
def test_compiled_it_learns_the_same(source: MemorySource, tmp_path: Path) -> None:
    # batches of one size, and few blocks: each shape is compiled anew, which takes most of this file's time
    recipe = dataclasses.replace(SHORT, batch=7)
    # the compiler chooses channels_last by itself, where narrower layers corrupt memory: see ClipNetwork.lay_out
    sizes = {**PLAIN, "widths": (8, 8, 16), "stage_blocks": (1, 1, 1)}
    pair = _both(source, tmp_path, {"compile": True}, recipe, sizes)
    assert _relative(pair) <= DEVIATIONS["compile"]
