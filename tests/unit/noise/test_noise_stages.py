"""Stages that are computed together are the product's own temporal stage, each by itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nrdfer.config.noise import DYNAMIC, LEARNED, LEFT_OUT, POOLED, TOKENS, StageSettings
from nrdfer.models.dct import TemporalStage
from nrdfer.noise.mechanism import MEAN, PRODUCT, ROLLOUT, _attention, _use
from nrdfer.noise.stages import Stages, encoder_of, start, train_stages

SETTINGS = StageSettings(width=8, heads=2, dim_head=4, mlp=12, epochs=3, batch=4, lr=0.01)
P = 5


def clips(count: int = 10, views: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    features = torch.from_numpy(rng.normal(size=(count, views, P, 8)).astype(np.float32))
    return features, torch.from_numpy(rng.integers(0, 7, count))


@pytest.mark.parametrize("token", [LEARNED, DYNAMIC])
def test_stages_are_the_networks_own(token: str) -> None:
    w, (x_NVPd, _) = start([3, 4], P, SETTINGS), clips()
    stages, x_NPd = Stages(token, SETTINGS), x_NVPd[:, 0]
    logits_JNK = stages.logits(w, x_NPd.expand(2, *x_NPd.shape))
    for number in range(2):
        own = TemporalStage(8, P, encoder_of(SETTINGS), dynamic_token=token == DYNAMIC)
        weights = {name: value[number] for name, value in w.items() if not name.startswith("head.")}
        own.load_state_dict({name: value for name, value in weights.items() if name in own.state_dict()})
        with torch.no_grad():
            expected = own(x_NPd)[:, 0] @ w["head.weight"][number].T + w["head.bias"][number]
            attention = own.frame_attention(x_NPd)
        torch.testing.assert_close(logits_JNK[number], expected, atol=1e-5, rtol=1e-5)
        found = _attention(stages, w, x_NPd)
        np.testing.assert_allclose(found[PRODUCT][number], attention, atol=1e-6)
        assert all(np.allclose(found[name].sum(-1), 1, atol=1e-5) for name in (PRODUCT, MEAN, ROLLOUT))


@pytest.mark.parametrize("token", TOKENS)
def test_a_stage_is_trained_as_if_it_were_alone(token: str) -> None:
    (x, y) = clips()
    together = train_stages(token, [0, 1, 2], x, y, SETTINGS)
    alone = train_stages(token, [1], x, y, SETTINGS)
    for name, value in alone.items():
        torch.testing.assert_close(together[name][1], value[0], atol=1e-5, rtol=1e-4)
    assert not torch.equal(together["head.weight"][0], together["head.weight"][1])


def test_a_seed_is_one_start_and_one_order_for_every_token() -> None:
    x, y = clips()
    still = StageSettings(**{**vars(SETTINGS), "lr": 1e-30, "weight_decay": 0.0})
    first = train_stages(LEARNED, [5], x, y, still)
    for token in (DYNAMIC, POOLED, LEFT_OUT):
        other = train_stages(token, [5], x, y, still)
        assert all(torch.allclose(first[name], other[name], atol=1e-20) for name in first)


def test_a_token_without_one_frame_is_another_mean() -> None:
    w, (x_NVPd, _) = start([0], P, SETTINGS), clips()
    x = x_NVPd[None, :, 0]
    stages, left = Stages(LEFT_OUT, SETTINGS), torch.full((1, 10), 2)
    whole, without = stages.logits(w, x), stages.logits(w, x, left)
    assert not torch.allclose(whole, without)
    even = x.mean(2, keepdim=True).expand_as(x)
    torch.testing.assert_close(stages.logits(w, even), stages.logits(w, even, left))


def test_a_frame_like_the_clips_mean_is_of_no_use_and_others_are() -> None:
    w, (x_NVPd, y) = start([0, 1], P, SETTINGS), clips()
    x = x_NVPd[:, 0].clone()
    x[:, 1] = x[:, [0, 2, 3, 4]].mean(1)
    changes = _use(Stages(DYNAMIC, SETTINGS), w, x, y)
    assert changes.shape == (2, 10, P)
    assert np.abs(changes[..., 1]).max() < 1e-5 < np.abs(changes[..., 0]).min() * 100
