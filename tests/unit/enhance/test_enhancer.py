from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from nrdfer.core.errors import WeightsError
from nrdfer.enhance.checkpoints import FORMAT, load_generator
from nrdfer.enhance.enhancer import Enhancer, Pixels
from nrdfer.enhance.generator import EnlightenGenerator
from nrdfer.weights.safetensors_file import save_safetensors


@pytest.fixture
def state():
    """A lively narrow generator: random weights, and statistics as after some training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = EnlightenGenerator(4)
        generator.train()
        for _ in range(3):
            generator(torch.rand(4, 3, 32, 32))
    return generator.state_dict()


@pytest.fixture
def brightening(state):
    return {
        **state,
        "conv10.weight": torch.zeros_like(state["conv10.weight"]),
        "conv10.bias": torch.full((3,), 0.9),
    }


def frames(count=5, height=37, width=50, top=60):
    return np.random.default_rng(1).integers(0, top, (count, height, width, 3), dtype=np.uint8)


def test_original_file_of_a_wrapped_network_loads_and_brightens(tmp_path, brightening):
    path = tmp_path / "200_net_G_A.pth"
    torch.save({f"module.{name}": value for name, value in brightening.items()}, path)
    dark = frames()
    bright = Enhancer.load(path).enhance(dark)
    luma = dark @ np.array([0.299, 0.587, 0.114]) / 255
    wanted = 255 * np.clip(dark / 255 + 0.45 * (1 - luma[..., None]), 0, 1)
    assert bright.dtype == np.uint8
    assert bright.shape == dark.shape
    assert np.all((bright == np.floor(wanted + 1e-3)) | (bright == np.floor(wanted - 1e-3)))  # truncated, not rounded
    assert bright.mean() > dark.mean() + 80


def test_zero_residual_leaves_every_grey_level_alone(tmp_path, state):
    path = tmp_path / "identity.pth"
    torch.save({**state, "conv10.weight": state["conv10.weight"] * 0, "conv10.bias": torch.zeros(3)}, path)
    levels = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 16, 16, 3)
    assert np.array_equal(Enhancer.load(path).enhance(levels), levels)


def test_batches_equal_one_by_one_and_report_progress(tmp_path, state):
    path = tmp_path / "net.pth"
    torch.save(state, path)
    enhancer = Enhancer.load(path)
    dark = frames(count=7)
    calls: list[tuple[int, int]] = []
    together = enhancer.enhance(dark, batch=3, progress=lambda done, total: calls.append((done, total)))
    alone = np.concatenate([enhancer.enhance(frame[None]) for frame in dark])
    # convolutions of other batch sizes may sum in another order: at most one level, at a rounding edge
    assert np.abs(together.astype(int) - alone).max() <= 1
    assert np.mean(together != alone) < 1e-3
    assert not np.array_equal(together, dark)
    assert calls == [(3, 7), (6, 7), (7, 7)]


def test_colour_channels_are_not_swapped(tmp_path, brightening):
    brightening["conv10.bias"] = torch.tensor([0.9, 0.0, 0.0])
    path = tmp_path / "red.pth"
    torch.save(brightening, path)
    bright = Enhancer.load(path).enhance(np.zeros((1, 16, 16, 3), np.uint8))
    assert bright[..., 0].min() > 100
    assert bright[..., 1:].max() == 0


def test_own_format_keeps_width_and_may_be_stored_in_half_precision(tmp_path, state):
    half = {name: value.half() if value.ndim == 4 else value for name, value in state.items()}
    path = tmp_path / "narrow.safetensors"
    save_safetensors(path, half, {"format": FORMAT, "base_channels": "4"})
    generator = load_generator(path)
    assert generator.base_channels == 4
    assert {p.dtype for p in generator.parameters()} == {torch.float32}
    enhancer = Enhancer(generator)
    reference = EnlightenGenerator(4)
    reference.load_state_dict(state)
    dark = frames(top=256)
    difference = np.abs(enhancer.enhance(dark).astype(int) - Enhancer(reference).enhance(dark))
    assert difference.max() <= 2


def test_no_frames_give_no_frames(state):
    generator = EnlightenGenerator(4)
    generator.load_state_dict(state)
    assert Enhancer(generator).enhance(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 32, 32, 3)


@pytest.mark.parametrize("bad", [np.zeros((2, 32, 32, 3), np.float32), np.zeros((32, 32, 3), np.uint8)])
def test_other_arrays_are_refused(bad, state):
    generator = EnlightenGenerator(4)
    generator.load_state_dict(state)
    with pytest.raises(ValueError, match="uint8"):
        Enhancer(generator).enhance(bad)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="do not exist"):
        Enhancer.load(tmp_path / "none.pth")


def test_truncated_file_is_refused(tmp_path, state):
    whole = tmp_path / "whole.pth"
    torch.save(state, whole)
    cut = tmp_path / "cut.pth"
    cut.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(WeightsError, match="cut short"):
        Enhancer.load(cut)


def test_pickled_code_is_never_run(tmp_path):
    path = tmp_path / "whole_module.pth"
    torch.save(EnlightenGenerator(2), path)  # a pickled object, not a state dict
    with pytest.raises(WeightsError, match=r"holds code to run .*EnlightenGenerator"):
        Enhancer.load(path)


def test_another_network_is_refused(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"body.conv1.weight": torch.zeros(1)}, path)
    with pytest.raises(WeightsError, match="conv1_1"):
        Enhancer.load(path)


def test_a_missing_tensor_is_named(tmp_path, state):
    path = tmp_path / "holes.pth"
    del state["deconv7.bias"]
    torch.save(state, path)
    with pytest.raises(WeightsError, match=r"deconv7\.bias"):
        Enhancer.load(path)


def test_safetensors_of_another_kind_are_refused(tmp_path, state):
    path = tmp_path / "detector.safetensors"
    save_safetensors(path, state, {"format": "nrdfer-retinaface"})
    with pytest.raises(WeightsError, match="nrdfer-retinaface"):
        Enhancer.load(path)


def test_lfs_pointer_is_called_by_its_name(tmp_path):
    path = tmp_path / "200_net_G_A.pth"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 34640000\n")
    with pytest.raises(WeightsError, match="Git LFS pointer"):
        Enhancer.load(path)


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (112, 112), (17, 90)])
def test_both_backends_agree_within_one_grey_level(state, size):
    generator = EnlightenGenerator(4)
    generator.load_state_dict(state)
    dark = frames(5, *size, top=256)
    fast = Enhancer(generator).enhance(dark).astype(int)
    plain = Enhancer(generator, backend="torch").enhance(dark)
    assert np.abs(fast - plain).max() <= 1
    assert np.abs(fast - dark).max() > 5


def test_a_stream_gives_what_the_whole_gives(state):
    generator = EnlightenGenerator(4)
    generator.load_state_dict(state)
    enhancer = pickle.loads(pickle.dumps(Enhancer(generator)))  # noqa: S301  (made here)
    dark = frames(9)
    streamed = list(enhancer.stream(iter(dark)))
    assert np.array_equal(np.stack(streamed), enhancer.enhance(dark))
    assert list(enhancer.stream(iter(()))) == []


def test_backends_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="backend 'openvino'"):
        Enhancer(EnlightenGenerator(2), backend="openvino")
    with pytest.raises(ValueError, match="at least 16"):
        Enhancer(EnlightenGenerator(2)).enhance(np.zeros((1, 15, 40, 3), np.uint8))


def test_half_precision_stays_within_two_grey_levels(state):
    """What a GPU computes, here on whatever device there is."""
    generator = EnlightenGenerator(4)
    generator.load_state_dict(state)
    dark = frames(3, 112, 112)
    wanted = Enhancer(generator).enhance(dark).astype(int)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = Pixels(generator.half(), torch.float16).to(device).eval()
    with torch.inference_mode():
        found = half(torch.from_numpy(dark).to(device)).cpu().numpy()
    assert np.abs(found - wanted).max() <= 2
