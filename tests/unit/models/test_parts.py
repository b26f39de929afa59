"""The parts of NR-DFERNet: what the equations do not say (those: ``test_equations``)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nrdfer.models.dct import TemporalStage
from nrdfer.models.dsf import DynamicStaticFusion, make_conv_d, make_dynamic_branch, make_fusion_norm
from nrdfer.models.encoder import Encoder, EncoderLayer, EncoderSettings
from nrdfer.models.stem import make_stem

ENCODER = EncoderSettings(depth=1, heads=2, dim_head=3, mlp=5)


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_static_branch_never_sees_the_last_frame() -> None:
    torch.manual_seed(0)
    dsf = DynamicStaticFusion(8, 4, ENCODER, None).eval()
    maps = _noise(1, 5, 8, 4, 4)
    other = maps.clone()
    other[:, -1] = 9.0
    torch.testing.assert_close(dsf(maps), dsf(other), rtol=0, atol=0)


def test_static_tokens_keep_their_places() -> None:
    """With an encoder of no layers and a Conv-D that only takes every second pixel, the branch must be just that."""
    dsf = DynamicStaticFusion(2, 6, EncoderSettings(0, 1, 1, 1), None, conv_d_kernel=1, conv_d_activation=False)
    conv = dsf.conv_d[0]
    assert isinstance(conv, nn.Conv2d)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(2)[..., None, None])
        assert conv.bias is not None
        conv.bias.zero_()
        dsf.position_QC.copy_(torch.arange(12.0).view(6, 2))
    maps = _noise(1, 2, 2, 3, 5)
    expected = maps[:, :1, :, ::2, ::2].numpy() + np.arange(12.0).reshape(2, 3, 2).transpose(2, 0, 1)
    np.testing.assert_allclose(dsf(maps).detach().numpy(), expected, atol=1e-6)


def test_norms_of_the_sum() -> None:
    maps = 3 + 2 * _noise(2, 5, 8, 4, 4)
    torch.manual_seed(0)
    plain, layer, batch = (
        DynamicStaticFusion(8, 4, ENCODER, make_dynamic_branch("basic", 8, 3), fusion_norm=kind)
        for kind in ("none", "layer", "batch")
    )
    for other in (layer, batch):
        other.load_state_dict(plain.state_dict(), strict=False)
    fused = plain(maps).flatten(0, 1)
    over_channels = (fused - fused.mean(1, keepdim=True)) / fused.var(1, keepdim=True, unbiased=False).sqrt()
    torch.testing.assert_close(layer(maps).flatten(0, 1), over_channels, rtol=0, atol=1e-3)
    axes = (0, 2, 3)
    over_frames = (fused - fused.mean(axes, keepdim=True)) / fused.var(axes, keepdim=True, unbiased=False).sqrt()
    torch.testing.assert_close(batch(maps).flatten(0, 1), over_frames, rtol=0, atol=1e-3)


@pytest.mark.parametrize("side", [4, 5, 7])
@pytest.mark.parametrize("kind", ["basic", "plain"])
def test_both_branches_halve_and_round_up_alike(kind: str, side: int) -> None:
    x = _noise(1, 4, side, side)
    half = math.ceil(side / 2)
    assert make_dynamic_branch(kind, 4, 3)(x).shape == (1, 4, half, half)
    for kernel in (1, 3):
        assert make_conv_d(4, kernel, True)(x).shape == (1, 4, half, half)


def test_the_class_token_stands_first_and_is_returned() -> None:
    stage = TemporalStage(6, 15, EncoderSettings(0, 1, 1, 1))
    features = _noise(3, 4, 6)
    expected = features.numpy().mean(1) + stage.position_TD[0].detach().numpy()
    np.testing.assert_allclose(stage(features)[:, 0].detach().numpy(), expected, atol=1e-6)


def test_a_learned_token_is_the_same_for_every_sequence() -> None:
    stage = TemporalStage(6, 15, EncoderSettings(0, 1, 1, 1), dynamic_token=False, position_std=1.0)
    out = stage(_noise(3, 4, 6))
    torch.testing.assert_close(out, out[:1].expand(3, -1, -1), rtol=0, atol=0)


def test_order_matters_only_through_positions() -> None:
    torch.manual_seed(0)
    stage = TemporalStage(6, 15, ENCODER, position_std=1.0).eval()
    features, order = _noise(2, 5, 6), torch.tensor([3, 1, 4, 0, 2])
    with torch.no_grad():
        plain, shuffled = stage(features), stage(features[:, order])
        stage.position_TD[1:6] = stage.position_TD[1:6][order]
        moved = stage(features[:, order])
    assert (plain - shuffled).abs().max() > 1e-3
    torch.testing.assert_close(plain, moved, rtol=0, atol=1e-5)


def test_more_features_than_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="16 features and positions for 15"):
        TemporalStage(6, 15, ENCODER)(_noise(1, 16, 6))
    with pytest.raises(ValueError, match="features 3 to 5, but there are 5"):
        TemporalStage(6, 15, ENCODER)(_noise(1, 5, 6), [range(3, 6)])


def test_attention_is_fused_unless_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    fused = F.scaled_dot_product_attention

    def counted(*args: Any, **kwargs: Any) -> torch.Tensor:
        calls.append(1)
        return fused(*args, **kwargs)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    encoder, x = Encoder(6, EncoderSettings(3, 2, 3, 5)), _noise(2, 4, 6)
    encoder(x)
    assert len(calls) == 3
    assert [weights.shape for weights in encoder.weights(x)] == [(2, 2, 4, 4)] * 3


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_the_weights_that_are_read_are_those_that_are_used(norm: str) -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(6, EncoderSettings(1, 2, 3, 5, norm=norm)).eval()
    x = _noise(2, 4, 6)
    seen = layer.norm1(x) if norm == "pre" else x
    values = layer.attention.to_qkv(seen).chunk(3, dim=-1)[2].unflatten(2, (2, 3)).transpose(1, 2)
    mixed = layer.attention.to_out((layer.weights(x) @ values).transpose(1, 2).flatten(2))
    torch.testing.assert_close(mixed, layer.attention(seen), rtol=0, atol=1e-6)
    torch.testing.assert_close(layer.weights(x).sum(-1), torch.ones(2, 2, 4))


@pytest.mark.parametrize(
    ("name", "function"), [("relu", F.relu), ("gelu", F.gelu), ("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"))]
)
def test_activations_by_name(name: str, function: Any) -> None:
    layer = EncoderLayer(6, EncoderSettings(1, 2, 3, 5, activation=name))
    x = _noise(4, 5)
    torch.testing.assert_close(layer.mlp[1](x), function(x))


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_where_the_norms_stand(norm: str) -> None:
    torch.manual_seed(0)
    encoder = Encoder(6, EncoderSettings(1, 2, 3, 5, norm=norm)).eval()
    x = _noise(2, 4, 6)
    scale = encoder(100 * x).std() / encoder(x).std()
    # A pre-norm layer hands its input on; a post-norm layer normalises whatever it makes.
    assert scale > 20 if norm == "pre" else scale < 2


def test_a_final_norm_normalises() -> None:
    out = Encoder(64, EncoderSettings(1, 2, 3, 5, final_norm=True))(_noise(2, 4, 64))
    torch.testing.assert_close(out.mean(-1), torch.zeros(2, 4), rtol=0, atol=1e-5)
    torch.testing.assert_close(out.std(-1, unbiased=False), torch.ones(2, 4), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", ["resnet7x7", "double3x3"])
def test_stems_divide_by_sixteen(kind: str) -> None:
    assert make_stem(kind, (4, 6, 8), (1, 2, 1))(_noise(1, 3, 112, 112)).shape == (1, 8, 7, 7)


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_stem("vgg", (4, 6, 8), (1, 1, 1)),
        lambda: make_dynamic_branch("3d", 4, 3),
        lambda: make_conv_d(4, 5, True),
        lambda: make_fusion_norm("group", 4),
        lambda: EncoderSettings(1, 2, 3, 5, norm="none"),
        lambda: EncoderSettings(1, 2, 3, 5, activation="tanh"),
        lambda: TemporalStage(6, 15, ENCODER, positions="last"),
    ],
)
def test_unknown_choices_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()


def test_a_narrow_network_stays_contiguous_and_a_real_one_does_not() -> None:
    """oneDNN's backward pass has corrupted the heap of processes that trained 4 channels wide in ``channels_last``."""
    from nrdfer.models.registry import build_model

    sizes = {"image_size": 32, "spatial_depth": 1, "temporal_depth": 1}
    formats = {
        widths: build_model("nr-dfernet", {**sizes, "widths": list(widths)}).memory_format
        for widths in ((4, 8, 8), (8, 6, 8), (8, 8, 8), (24, 48, 96))
    }
    assert formats == {
        (4, 8, 8): torch.contiguous_format,
        (8, 6, 8): torch.contiguous_format,
        (8, 8, 8): torch.channels_last,
        (24, 48, 96): torch.channels_last,
    }
