"""The generator out of an ONNX model, however its exporter named things."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from nrdfer.core.errors import WeightsError
from nrdfer.enhance.checkpoints import load_generator
from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.runtime.onnx_session import export


class Fused(nn.Module):
    """As the public model: 0 to 1 goes in, -1 to 1 comes out."""

    def __init__(self, generator: EnlightenGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        return self.generator.unclipped(x) * 2 - 1


@pytest.fixture(scope="module")
def generator() -> EnlightenGenerator:
    """The published width, lively weights, and statistics as after some training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = EnlightenGenerator()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                module.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return net.eval()


@pytest.fixture(scope="module")
def model(generator: EnlightenGenerator) -> bytes:
    axes = {0: "B", 2: "H", 3: "W"}
    return export(Fused(generator), torch.zeros(1, 3, 32, 48), ("output",), {"x": axes, "output": axes})


def test_an_onnx_model_holds_the_same_generator(generator: EnlightenGenerator, model: bytes, tmp_path: Path) -> None:
    (tmp_path / "enlighten.onnx").write_bytes(model)
    loaded = load_generator(tmp_path / "enlighten.onnx").state_dict()
    assert loaded.keys() == generator.state_dict().keys()
    assert len(loaded) == 131
    for name, tensor in generator.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(tensor, loaded[name]), name


def test_renamed_tensors_are_found_by_their_layers(generator: EnlightenGenerator, model: bytes, tmp_path: Path) -> None:
    renamed = onnx.load_from_string(model)
    names = {tensor.name: f"onnx::W_{i}" for i, tensor in enumerate(renamed.graph.initializer)}
    for tensor in renamed.graph.initializer:
        tensor.name = names[tensor.name]
    for node in renamed.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
    onnx.save(renamed, tmp_path / "e.onnx")
    loaded = load_generator(tmp_path / "e.onnx")
    x = torch.from_numpy(np.random.default_rng(0).random((1, 3, 32, 48), np.float32))
    with torch.inference_mode():
        assert torch.equal(loaded.eval()(x), generator(x))


def test_models_that_are_none_are_refused(model: bytes, tmp_path: Path) -> None:
    path = tmp_path / "enlighten.onnx"
    path.write_bytes(model[: len(model) // 2])
    with pytest.raises(WeightsError, match="cut short"):
        load_generator(path)
    other = onnx.load_from_string(model)
    del other.graph.node[next(i for i, node in enumerate(other.graph.node) if node.op_type == "Conv")]
    path.write_bytes(other.SerializeToString())
    with pytest.raises(WeightsError, match="22 Conv layers where 23 with 2"):
        load_generator(path)
    swapped = onnx.load_from_string(model)
    first = next(t for t in swapped.graph.initializer if t.dims[:2] == [32, 4])
    first.CopyFrom(numpy_helper.from_array(np.zeros((32, 5, 3, 3), np.float32), first.name))
    path.write_bytes(swapped.SerializeToString())
    with pytest.raises(WeightsError, match=r"does not hold EnlightenGAN.s generator: 1 have another shape \(conv1_1"):
        load_generator(path)
