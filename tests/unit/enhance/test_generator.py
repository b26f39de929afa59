from __future__ import annotations

import pytest
import torch

from nrdfer.enhance.generator import EnlightenGenerator


def generator_with(conv10_bias: float, base_channels: int = 4) -> EnlightenGenerator:
    """Whatever the layers before say, the last convolution answers with a constant."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        generator = EnlightenGenerator(base_channels).eval()
    with torch.no_grad():
        generator.conv10.weight.zero_()
        generator.conv10.bias.fill_(conv10_bias)
    return generator


def test_tensors_are_those_of_the_published_network():
    state = EnlightenGenerator().state_dict()
    assert len(state) == 131
    assert sum(p.numel() for p in EnlightenGenerator().parameters()) == 8_636_675
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert shapes["conv1_1.weight"] == (32, 4, 3, 3)  # RGB and the attention map
    assert shapes["conv5_2.weight"] == (512, 512, 3, 3)
    assert shapes["deconv5.weight"] == (256, 512, 3, 3)
    assert shapes["conv6_1.weight"] == (256, 512, 3, 3)
    assert shapes["deconv8.weight"] == (32, 64, 3, 3)
    assert shapes["conv10.weight"] == (3, 32, 1, 1)
    assert shapes["bn9_1.running_var"] == (32,)
    assert "bn9_2.weight" not in shapes  # the last block is not normalised


@pytest.mark.parametrize("size", [(16, 16), (112, 112), (37, 50), (17, 96)])
def test_zero_residual_is_exact_identity_at_every_size(size):
    x_BCHW = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(generator_with(0.0)(x_BCHW), x_BCHW)


def test_residual_is_weighted_by_darkness():
    x_BCHW = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(2)) * 0.4
    luma_B1HW = 0.299 * x_BCHW[:, :1] + 0.587 * x_BCHW[:, 1:2] + 0.114 * x_BCHW[:, 2:]
    wanted_BCHW = (x_BCHW + 0.45 * (1.0 - luma_B1HW)).clamp(0.0, 1.0)  # 0.9 in the original's -1..1 is 0.45 in 0..1
    with torch.inference_mode():
        assert torch.allclose(generator_with(0.9)(x_BCHW), wanted_BCHW, atol=1e-6)


def test_white_pixels_are_never_changed_whatever_the_weights():
    generator = generator_with(0.7)
    with torch.inference_mode():
        y_BCHW = generator.unclipped(torch.ones(1, 3, 32, 32))
    assert torch.allclose(y_BCHW, torch.ones_like(y_BCHW), atol=1e-6)


def test_output_is_clipped():
    with torch.inference_mode():
        assert generator_with(9.0)(torch.zeros(1, 3, 16, 16)).max() == 1.0
        assert generator_with(-9.0)(torch.zeros(1, 3, 16, 16)).min() == 0.0


def test_padding_is_centred_so_that_shifts_by_its_size_agree():
    """A picture padded by the network equals the same picture padded by hand."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        generator = EnlightenGenerator(4).eval()
        x_BCHW = torch.rand(1, 3, 26, 44)
    by_hand_BCHW = torch.nn.functional.pad(x_BCHW, (2, 2, 3, 3), mode="reflect")
    with torch.inference_mode():
        assert torch.allclose(generator(x_BCHW), generator(by_hand_BCHW)[..., 3:-3, 2:-2], atol=1e-6)


def test_attention_reaches_every_level():
    with torch.random.fork_rng():
        torch.manual_seed(4)
        generator = EnlightenGenerator(4).eval()
        x_BCHW = torch.rand(1, 3, 32, 32, requires_grad=True)
    generator.unclipped(x_BCHW)[0, :, 5, 5].sum().backward()
    assert x_BCHW.grad is not None
    far = x_BCHW.grad[0, :, 25:, 25:].abs().sum()
    assert far > 0  # only the lowest level sees that far


@pytest.mark.parametrize("shape", [(1, 3, 15, 32), (1, 3, 32, 8), (1, 1, 32, 32)])
def test_impossible_sizes_are_refused(shape):
    with pytest.raises(ValueError, match="generator takes"):
        generator_with(0.0)(torch.zeros(shape))


def test_width_below_one_is_refused():
    with pytest.raises(ValueError, match="base_channels"):
        EnlightenGenerator(0)
