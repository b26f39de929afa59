"""Steps that are recorded and replayed are the steps themselves: on a CPU by a stand-in that keeps the same places."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from nrdfer.core.errors import ProfileError
from nrdfer.data.dataset import ClipDataset
from nrdfer.data.in_memory import MemorySource
from nrdfer.evaluation.inference import predict
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.registry import resolve_settings
from nrdfer.runtime.determinism import evaluation_precision
from nrdfer.runtime.distributed import Ranks
from nrdfer.runtime.engine import DEVIATIONS, TEST_DEVIATIONS, Engine
from nrdfer.training import learner as learner_module
from nrdfer.training.learner import Learner
from nrdfer.training.recorded_step import RecordedStep, RepeatedWork
from tests.unit.training.tiny import ENGINE, FILES, RECIPE, SETTINGS, KilledError, after_step, bytes_of, run, spots

GRAPHS = dataclasses.replace(ENGINE, device="auto", graphs=True)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source() -> MemorySource:
    return spots()


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Clips of every batch that was replayed."""
    seen: list[int] = []
    call = RecordedStep.__call__

    def counted(self: RecordedStep, x: torch.Tensor, y: torch.Tensor) -> Any:
        seen.append(len(x))
        return call(self, x, y)

    monkeypatch.setattr(RecordedStep, "__call__", counted)
    monkeypatch.setattr(learner_module, "_graph_recorder", lambda device, ranks: RepeatedWork())
    return seen


def test_a_replayed_training_has_the_same_bytes(source: MemorySource, tmp_path: Path, stand_in: list[int]) -> None:
    run(source, tmp_path / "plain", engine=dataclasses.replace(ENGINE, device="auto"))
    assert stand_in == []
    run(source, tmp_path / "graphs", engine=GRAPHS)
    assert stand_in == [4] * 9  # three epochs of 14 clips: the last two of each are computed as usual
    for name in FILES:
        assert bytes_of(tmp_path / "graphs")[name] == bytes_of(tmp_path / "plain")[name], name
    assert DEVIATIONS["graphs"] == 0

    with pytest.raises(KilledError):
        run(
            source, tmp_path / "killed", engine=dataclasses.replace(GRAPHS, checkpoint_every_batches=1), **after_step(6)
        )
    run(source, tmp_path / "killed", engine=GRAPHS)
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "plain")


def test_recording_changes_neither_statistics_nor_random_numbers() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5)).train()
    step = RecordedStep(model, lambda x, y: (model(x).sum(), model[0](x)), RepeatedWork(), 5)
    x, y = torch.randn(5, 4), torch.zeros(5)
    torch.manual_seed(3)
    expected = model(x).sum()
    torch.manual_seed(3)
    twin = model[1].running_mean.clone()  # type: ignore[union-attr,operator]
    loss, _ = step(x, y)
    assert torch.equal(loss, expected.detach())
    moved = model[1].running_mean - twin  # type: ignore[operator]
    assert int(model[1].num_batches_tracked) == 2  # type: ignore[arg-type]
    assert float(moved.abs().sum()) > 0
    assert step.takes(x) and not step.takes(x[:4])
    assert step.put_gradients() and not step.put_gradients()


def test_graphs_are_refused_without_a_gpu_and_with_several() -> None:
    settings = resolve_settings("nr-dfernet", SETTINGS)
    assert isinstance(settings, NRDFERNetSettings)
    with pytest.raises(ProfileError, match="graphs needs a GPU; on a CPU leave it off"):
        Learner(NRDFERNet(settings), RECIPE, GRAPHS, CPU, Ranks(), 1)
    with pytest.raises(ProfileError, match="on one GPU"):
        learner_module._graph_recorder(torch.device("cuda"), Ranks(0, 2))
    for change in ({"device": "cpu"}, {"devices": 2}, {"nodes": 2}):
        with pytest.raises(ValueError, match="graphs: true"):
            dataclasses.replace(GRAPHS, **change)


def test_larger_and_coarser_tests_stay_within_their_bounds(source: MemorySource) -> None:
    settings = resolve_settings("nr-dfernet", SETTINGS)
    assert isinstance(settings, NRDFERNetSettings)
    torch.manual_seed(0)
    model = NRDFERNet(settings)
    data = ClipDataset(source, source.clip_ids, image_size=32, emotions=settings.emotions)

    def logits(engine: Engine) -> torch.Tensor:
        with evaluation_precision(engine, CPU):
            table = predict(model, data, batch=engine.test_batch)
        return torch.tensor(table[[name for name in table if str(name).startswith("logit_")]].to_numpy())

    reference = logits(Engine())
    assert float((logits(Engine(test_batch=128)) - reference).abs().max()) <= TEST_DEVIATIONS["test_batch"]
    coarse = float((logits(Engine(test_precision="bf16")) - reference).abs().max())
    assert 0 < coarse <= TEST_DEVIATIONS["test_precision bf16"]
    assert torch.equal(logits(Engine(test_precision="tf32")), reference)  # a CPU has none
