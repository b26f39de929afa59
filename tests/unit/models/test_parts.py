"""The ideas of the paper, each against an independent restatement in NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nrdfer.models.dct import TemporalStage, dynamic_class_token
from nrdfer.models.dsf import DynamicStaticFusion, frame_differences, make_conv_d, make_dynamic_branch, make_fusion_norm
from nrdfer.models.encoder import Attention, Encoder, EncoderSettings
from nrdfer.models.stem import BasicBlock, make_stem

ENCODER = EncoderSettings(depth=1, heads=2, dim_head=3, mlp=5)


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_equation_1_subtracts_each_frame_from_the_next() -> None:
    maps = _noise(2, 5, 3, 4, 4)
    expected = np.empty((2, 4, 3, 4, 4), np.float32)
    for i in range(4):
        expected[:, i] = maps[:, i + 1].numpy() - maps[:, i].numpy()
    np.testing.assert_array_equal(frame_differences(maps).numpy(), expected)


def test_equation_4_sums_the_branches_of_the_same_pair() -> None:
    torch.manual_seed(0)
    dsf = DynamicStaticFusion(8, 4, ENCODER).eval()
    maps = _noise(2, 5, 8, 4, 4)
    with torch.no_grad():
        fused = dsf(maps)
        assert dsf.dynamic is not None
        for b in range(2):
            for i in range(4):
                static = dsf.static_features(maps[b, i][None]).numpy()
                dynamic = dsf.dynamic((maps[b, i + 1] - maps[b, i])[None]).numpy()
                np.testing.assert_allclose(fused[b, i].numpy(), (static + dynamic)[0], atol=1e-5)


def test_the_static_branch_never_sees_the_last_frame() -> None:
    torch.manual_seed(0)
    dsf = DynamicStaticFusion(8, 4, ENCODER, dynamic_branch="none").eval()
    maps = _noise(1, 5, 8, 4, 4)
    other = maps.clone()
    other[:, -1] = 9.0
    torch.testing.assert_close(dsf(maps), dsf(other), rtol=0, atol=0)


def test_static_tokens_keep_their_places() -> None:
    """With an encoder of no layers and a Conv-D that only takes every second pixel, the branch must be just that."""
    dsf = DynamicStaticFusion(
        2, 6, EncoderSettings(0, 1, 1, 1), dynamic_branch="none", conv_d_kernel=1, conv_d_activation=False
    )
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
    plain, layer, batch = (DynamicStaticFusion(8, 4, ENCODER, fusion_norm=kind) for kind in ("none", "layer", "batch"))
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


def test_equation_5_is_the_mean_of_the_sequences_own_features() -> None:
    features = _noise(3, 15, 6)
    expected = np.stack([sum(row) / 15 for row in features.numpy()])[:, None]
    np.testing.assert_allclose(dynamic_class_token(features).numpy(), expected, atol=1e-6)


def test_the_class_token_stands_first_and_is_returned() -> None:
    stage = TemporalStage(6, 15, EncoderSettings(0, 1, 1, 1))
    features = _noise(3, 4, 6)
    expected = features.numpy().mean(1) + stage.position_TD[0].detach().numpy()
    np.testing.assert_allclose(stage(features).detach().numpy(), expected, atol=1e-6)


def test_a_learned_token_is_the_same_for_every_sequence() -> None:
    stage = TemporalStage(6, 15, EncoderSettings(0, 1, 1, 1), dynamic_token=False, position_std=1.0)
    out = stage(_noise(3, 4, 6))
    torch.testing.assert_close(out, out[:1].expand(3, -1), rtol=0, atol=0)


def test_order_matters_only_through_positions() -> None:
    torch.manual_seed(0)
    stage = TemporalStage(6, 15, ENCODER, position_std=1.0).eval()
    features, order = _noise(2, 5, 6), torch.tensor([3, 1, 4, 0, 2])
    with torch.no_grad():
        plain, shuffled = stage(features), stage(features[:, order])
        moved = stage(features[:, order], order.expand(2, -1))
    assert (plain - shuffled).abs().max() > 1e-3
    torch.testing.assert_close(plain, moved, rtol=0, atol=1e-5)


def test_more_features_than_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="16 features"):
        TemporalStage(6, 15, ENCODER)(_noise(1, 16, 6))


def test_attention_against_a_loop() -> None:
    torch.manual_seed(0)
    attention = Attention(6, heads=2, dim_head=3)
    x = _noise(2, 4, 6)
    out = attention(x).detach().numpy()
    w_qkv = attention.to_qkv.weight.detach().numpy()
    w_out, bias = attention.to_out.weight.detach().numpy(), attention.to_out.bias.detach().numpy()
    for b in range(2):
        q, k, v = np.split(x[b].numpy() @ w_qkv.T, 3, axis=1)
        heads = []
        for h in range(2):
            part = slice(3 * h, 3 * h + 3)
            scores = q[:, part] @ k[:, part].T / np.sqrt(3)
            weights = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
            heads.append(weights @ v[:, part])
        np.testing.assert_allclose(out[b], np.concatenate(heads, 1) @ w_out.T + bias, atol=1e-5)
    assert attention.to_qkv.bias is None


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


def test_a_basic_block_against_its_definition() -> None:
    torch.manual_seed(0)
    block = BasicBlock(4, 6, stride=2).eval()
    x = _noise(2, 4, 7, 7)
    inner = torch.clamp(block.bn1(block.conv1(x)), min=0)
    expected = torch.clamp(block.bn2(block.conv2(inner)) + block.shortcut(x), min=0)
    torch.testing.assert_close(block(x), expected)
    assert block(x).shape == (2, 6, 4, 4)


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
        lambda: Encoder(6, EncoderSettings(1, 2, 3, 5, norm="none")),
    ],
)
def test_unknown_choices_are_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        make()
