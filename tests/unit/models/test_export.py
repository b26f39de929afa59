from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import NrdferError
from nrdfer.core.own_files import NOTES
from nrdfer.data.settings import Sampling
from nrdfer.models.export import export_network
from nrdfer.models.export_check import compare
from nrdfer.models.export_metadata import metadata, read_metadata
from nrdfer.models.nrdfernet import NRDFERNet
from nrdfer.models.registry import build_model


def assert_described(path: Path) -> None:
    about = read_metadata(path)
    assert json.loads(about["emotions"]) == list(EMOTIONS)
    assert (about["image_size"], about["frames"], about["colour_order"]) == ("48", "16", "RGB")
    assert about["shape"] == "(B, 16, 3, 48, 48)" and "bilinear" in about["resize"]
    assert json.loads(about["sampling"])["strategy"] == "ds"


NEUTRAL = EMOTIONS.index("neutral")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> NRDFERNet:
    """With thresholds between which an untrained network's snippets veto some clips and spare others."""
    torch.manual_seed(0)
    model = build_model("nr-dfernet", {"image_size": 48, "position_std": 1.0}, "sample").eval()
    assert isinstance(model, NRDFERNet)
    return model


@pytest.fixture(scope="module")
def answers(network: NRDFERNet) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    x = (
        torch.rand(5, 16, 3, 48, 48, generator=torch.Generator().manual_seed(1))
        * torch.linspace(0.1, 1, 5)[:, None, None, None, None]
    )
    with torch.no_grad():
        logits, snippets = network.forward_with_snippets(x)
        # a threshold in the middle, so that the exported filter has something to do and something to leave
        top = snippets.softmax(-1).amax((1, 2)).sort().values
        network.settings = dataclasses.replace(network.settings, mu1=float((top[2] + top[3]) / 2), mu2=1.0)
        final = network.probabilities(logits, snippets)
    assert 0 < int((final[:, NEUTRAL] == 0).sum()) < 5
    return x, logits, final


def test_onnx_answers_like_the_network(
    network: NRDFERNet, answers: tuple[torch.Tensor, torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    import onnxruntime

    x, logits, final = answers
    export_network(network, tmp_path / "model.onnx", metadata(network.settings, "nr-dfernet", Sampling()))
    assert_described(tmp_path / "model.onnx")
    assert compare(network, tmp_path / "model.onnx", x.numpy()).whole
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["logits", "probabilities"]
    for clips in (x, x[:1]):
        told, probabilities = session.run(None, {"clips": clips.numpy()})
        np.testing.assert_allclose(told, logits[: len(clips)].numpy(), rtol=0, atol=1e-4)
        np.testing.assert_allclose(probabilities, final[: len(clips)].numpy(), rtol=0, atol=1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"model.onnx", NOTES}


def test_the_full_network_in_onnx(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    full, x = NRDFERNet().eval(), torch.rand(1, 16, 3, 112, 112)
    export_network(full, tmp_path / "full.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "full.onnx", providers=["CPUExecutionProvider"])
    with torch.no_grad():
        expected = full(x).numpy()
    np.testing.assert_allclose(session.run(["logits"], {"clips": x.numpy()})[0], expected, rtol=0, atol=1e-4)


def test_exported_programs_answer_like_the_network(
    network: NRDFERNet, answers: tuple[torch.Tensor, torch.Tensor, torch.Tensor], tmp_path: Path
) -> None:
    x, logits, final = answers
    export_network(network, tmp_path / "model.pt2", metadata(network.settings, "nr-dfernet", Sampling()))
    assert_described(tmp_path / "model.pt2")
    another = build_model("nr-dfernet", {"image_size": 48, "position_std": 1.0}, "sample").eval()
    assert not compare(another, tmp_path / "model.pt2", x.numpy()).whole
    told, probabilities = torch.export.load(tmp_path / "model.pt2").module()(x)
    torch.testing.assert_close(told, logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(probabilities, final, rtol=0, atol=1e-4)


def test_a_file_that_answers_otherwise_gets_no_name(network: NRDFERNet, tmp_path: Path) -> None:
    def refuse(fresh: Path) -> None:
        assert fresh.is_file()
        raise NrdferError("it answers otherwise")

    with pytest.raises(NrdferError, match="otherwise"):
        export_network(network, tmp_path / "model.pt2", check=refuse)
    assert not (tmp_path / "model.pt2").exists()


def test_other_endings_are_refused_and_leave_nothing(network: NRDFERNet, tmp_path: Path) -> None:
    with pytest.raises(NrdferError, match=r"model\.tflite: exported files end in \.pt2 or \.onnx"):
        export_network(network, tmp_path / "model.tflite")
    assert list(tmp_path.iterdir()) == []
