from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from nrdfer.models.flops import count_macs, count_parameters
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings

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


def test_the_defaults_are_the_network_that_table_3_identifies() -> None:
    model = NRDFERNet().eval()
    x_BTCHW = torch.rand(1, 16, 3, 112, 112)
    assert count_parameters(model) == 31_323_463
    assert count_macs(lambda: model(x_BTCHW)) / 1e9 == pytest.approx(4.373, abs=0.0005)
    assert count_macs(lambda: model.forward_with_snippets(x_BTCHW)) / 1e9 == pytest.approx(5.078, abs=0.0005)


@pytest.mark.parametrize(
    ("spatial_depth", "temporal_depth", "sequence", "with_snippets"),
    [(1, 4, 4.309, 5.014), (3, 4, 4.437, 5.142), (1, 6, 4.511, 5.568), (3, 6, 4.638, 5.695)],
)
def test_costs_of_the_other_depths_of_table_3(
    spatial_depth: int, temporal_depth: int, sequence: float, with_snippets: float
) -> None:
    settings = NRDFERNetSettings(spatial_depth=spatial_depth, temporal_depth=temporal_depth)
    with torch.device("meta"):
        model, x_BTCHW = NRDFERNet(settings).eval(), torch.rand(1, 16, 3, 112, 112)
        assert count_macs(lambda: model(x_BTCHW)) / 1e9 == pytest.approx(sequence, abs=0.001)
        assert count_macs(lambda: model.forward_with_snippets(x_BTCHW)) / 1e9 == pytest.approx(with_snippets, abs=0.001)


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


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"snippet_unit": "frame"},
        {"snippet_width": 6, "snippet_stride": 1},
        {"dsf": False, "dct": False},
        {"fusion_norm": "batch"},
        {"encoder_norm": "post", "encoder_final_norm": True, "fusion_norm": "layer"},
        {"stem": "double3x3", "dynamic_branch": "plain", "conv_d_kernel": 1, "conv_d_activation": False},
    ],
    ids=str,
)
def test_snippets_share_the_spatial_stage_without_changing_a_logit(changes: dict[str, Any]) -> None:
    """What the shared pass gives must be what the whole network gives for the frames of each snippet."""
    model, x_BTCHW = _tiny(**changes), _clips()
    with torch.no_grad():
        _, shared_BSK = model.forward_with_snippets(x_BTCHW)
        naive = [model(x_BTCHW[:, window.start : window.stop + 1]) for window in model.settings.snippets]
    torch.testing.assert_close(shared_BSK, torch.stack(naive, dim=1), rtol=0, atol=2e-6)
    assert shared_BSK.std() > 1e-4  # and the snippets differ


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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widths": (4, 8)}, "three layers"),
        ({"snippet_width": 16}, "do not fit"),
        ({"snippet_unit": "second"}, "snippet_unit"),
        ({"snippet_position": "last"}, "snippet_position"),
        ({"mu1": 70.0}, "mu1 is a probability"),
        ({"frames": 1}, "at least 2"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY, **changes)
