from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from nrdfer.core.emotions import EMOTIONS
from nrdfer.models.flops import count_parameters
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings

NEUTRAL = EMOTIONS.index("neutral")

TINY = NRDFERNetSettings(
    image_size=32,
    widths=(4, 6, 8),
    spatial_depth=1,
    spatial_dim_head=4,
    spatial_mlp=8,
    temporal_depth=2,
    temporal_dim_head=4,
    temporal_mlp=8,
    position_std=1.0,
)


def _tiny(**changes: Any) -> NRDFERNet:
    torch.manual_seed(0)
    return NRDFERNet(dataclasses.replace(TINY, **changes)).eval()


def _clips(batch: int = 2, seed: int = 1, side: int = 32) -> torch.Tensor:
    return torch.rand(batch, 16, 3, side, side, generator=torch.Generator().manual_seed(seed))


def test_parameters_of_the_two_other_readings_of_the_published_costs() -> None:
    doubled = NRDFERNetSettings(spatial_dim_head=64, spatial_mlp=512, temporal_dim_head=64, temporal_mlp=1024)
    literal = dataclasses.replace(doubled, dynamic_branch="plain", conv_d_kernel=1)
    with torch.device("meta"):
        assert count_parameters(NRDFERNet(doubled)) / 1e6 == pytest.approx(57.016, abs=0.0005)
        assert count_parameters(NRDFERNet(literal)) / 1e6 == pytest.approx(54.655, abs=0.0005)


def test_shapes() -> None:
    logits_BK, snippets_BSK = _tiny().forward_with_snippets(_clips())
    assert logits_BK.shape == (2, 7)
    assert snippets_BSK.shape == (2, 7, 7)
    assert NRDFERNetSettings().token_dim == 4096


@pytest.mark.parametrize("size", [31, 32, 33, 64, 65, 72, 100, 112])
def test_token_width_follows_any_image_size(size: int) -> None:
    settings = dataclasses.replace(TINY, image_size=size)
    with torch.device("meta"):
        features_BPD = NRDFERNet(settings).features(torch.rand(1, 16, 3, size, size))
    assert features_BPD.shape == (1, 15, settings.token_dim)


def _apart(model: NRDFERNet, x_BTCHW: torch.Tensor) -> torch.Tensor:
    """Snippets' logits as the paper words it: the frames of each snippet through the whole network, one by one."""
    windows = model.settings.snippets
    each = [model.classify(model.features(x_BTCHW[:, window.start : window.stop + 1])) for window in windows]
    return torch.cat(each, dim=1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dsf": False, "dct": False},
        {"fusion_norm": "batch"},
        {"encoder_norm": "post", "encoder_final_norm": True, "fusion_norm": "layer"},
        {"stem": "double3x3", "dynamic_branch": "plain", "conv_d_kernel": 1, "conv_d_activation": False},
    ],
    ids=str,
)
def test_snippets_share_both_stages_without_changing_a_logit(changes: dict[str, Any]) -> None:
    model, x_BTCHW = _tiny(**changes).double(), _clips().double()
    with torch.no_grad():
        logits_BK, shared_BSK = model.forward_with_snippets(x_BTCHW)
        torch.testing.assert_close(shared_BSK, _apart(model, x_BTCHW), rtol=0, atol=1e-12)
        torch.testing.assert_close(logits_BK, model(x_BTCHW), rtol=0, atol=1e-12)
    assert shared_BSK.std() > 1e-4  # and the snippets differ


@pytest.fixture(scope="module")
def full_size() -> NRDFERNet:
    torch.manual_seed(0)
    return NRDFERNet().eval()


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["pair", "frame"])
@pytest.mark.parametrize(("stride", "width"), [(1, 3), (2, 3), (3, 3), (1, 6), (2, 6), (3, 6)])
def test_snippets_of_table_2_at_full_size(full_size: NRDFERNet, stride: int, width: int, unit: str) -> None:
    model, x_BTCHW = full_size.float(), _clips(1, side=112)
    model.settings = NRDFERNetSettings(snippet_stride=stride, snippet_width=width, snippet_unit=unit)
    with torch.no_grad():
        _, shared_BSK = model.forward_with_snippets(x_BTCHW)
        # single precision rounds sums of 4096 products by 4e-7 to 1.2e-6, as the CPU's kernels order them
        torch.testing.assert_close(shared_BSK, _apart(model, x_BTCHW), rtol=1e-6, atol=2e-6)
        assert shared_BSK.std() > 0.01
        if unit == "frame":  # in double precision once a setting: it takes long
            return
        model, x_BTCHW = model.double(), x_BTCHW.double()
        _, shared_BSK = model.forward_with_snippets(x_BTCHW)
        torch.testing.assert_close(shared_BSK, _apart(model, x_BTCHW), rtol=0, atol=1e-12)


def test_true_positions_tell_where_a_snippet_lies() -> None:
    x_BTCHW = _clips()
    x_BTCHW[:] = x_BTCHW[:, :1]  # a still: every snippet sees the same features
    with torch.no_grad():
        _, first = _tiny().forward_with_snippets(x_BTCHW)
        _, true = _tiny(snippet_position="true").forward_with_snippets(x_BTCHW)
    torch.testing.assert_close(first, first[:, :1].expand_as(first), rtol=0, atol=1e-5)
    torch.testing.assert_close(true[:, 0], first[:, 0], rtol=0, atol=1e-5)
    assert (true[:, 1] - true[:, 0]).abs().max() > 1e-3


def test_clips_of_a_batch_do_not_influence_each_other_in_testing() -> None:
    model, x_BTCHW = _tiny(), _clips(3)
    with torch.no_grad():
        together, alone = model(x_BTCHW), model(x_BTCHW[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-5)


def test_the_ablations_take_the_named_part_out() -> None:
    full, static, learned = _tiny(), _tiny(dsf=False), _tiny(dct=False)
    assert any(name.startswith("dsf.dynamic.") for name in full.state_dict())
    assert not any(name.startswith("dsf.dynamic.") for name in static.state_dict())
    assert "temporal.token_D" not in full.state_dict()
    assert learned.state_dict()["temporal.token_D"].shape == (TINY.token_dim,)


def test_every_weight_learns() -> None:
    model = _tiny(fusion_norm="layer", encoder_final_norm=True, dct=False).train()
    logits_BK, snippets_BSK = model.forward_with_snippets(_clips(4))
    torch.autograd.backward((logits_BK**2).sum() + (snippets_BSK**2).sum())
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_without_the_filter_there_are_no_snippets_and_no_vetoes() -> None:
    model, x_BTCHW = _tiny(sf=False, mu1=0.0, mu2=1.0), _clips()
    logits_BK, snippets_BSK = model.forward_with_snippets(x_BTCHW)
    assert snippets_BSK.shape == (2, 0, 7)
    torch.testing.assert_close(model.decide(logits_BK, snippets_BSK), logits_BK)
    vetoed = _tiny(mu1=0.0, mu2=1.0)
    assert vetoed.decide(*vetoed.forward_with_snippets(x_BTCHW))[:, NEUTRAL].isneginf().all()


def test_thresholds_and_output_of_the_filter_are_settings() -> None:
    logits_BK, snippets_BSK = torch.zeros(1, 7), torch.zeros(1, 1, 7)
    snippets_BSK[..., 0] = 4.0
    model, zeroed = _tiny(), _tiny(filter_output="zeroed")
    assert model.vetoes(snippets_BSK).tolist() == [True]
    assert _tiny(mu1=0.95).vetoes(snippets_BSK).tolist() == [False]
    assert _tiny(mu2=0.01).vetoes(snippets_BSK).tolist() == [False]
    assert model.probabilities(logits_BK, snippets_BSK)[0].tolist() == pytest.approx([1 / 6, 1 / 6, 0, *[1 / 6] * 4])
    assert zeroed.probabilities(logits_BK, snippets_BSK)[0].tolist() == pytest.approx([1 / 7, 1 / 7, 0, *[1 / 7] * 4])


def test_frame_attention_is_the_product_over_layers_and_heads() -> None:
    model, x_BTCHW = _tiny(), _clips()
    with torch.no_grad():
        seen_BP = model.frame_attention(x_BTCHW)
        features_BPD = model.features(x_BTCHW)
        token_B1D = features_BPD.mean(1, keepdim=True)
        x_BND = torch.cat([token_B1D, features_BPD], dim=1) + model.temporal.position_TD
        expected_BP = torch.ones(2, 15)
        for layer in model.temporal.encoder.layers:
            for head in range(4):
                expected_BP *= layer.weights(x_BND)[:, head, 0, 1:]
            x_BND = layer(x_BND)
    torch.testing.assert_close(seen_BP, expected_BP / expected_BP.sum(1, keepdim=True), rtol=1e-4, atol=0)
    torch.testing.assert_close(seen_BP.sum(1), torch.ones(2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (4, 8)}, "three layers"),
        ({"snippet_width": 16}, "do not fit"),
        ({"snippet_unit": "second"}, "snippet_unit"),
        ({"snippet_position": "last"}, "snippet_position"),
        ({"mu1": 70.0}, "mu1 is a probability"),
        ({"frames": 1}, "at least 2"),
        ({"filter_output": "dropped"}, "filter_output"),
        ({"encoder_norm": "both"}, "norm must be"),
        ({"temporal_heads": 0}, "positive sizes"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **changes)
