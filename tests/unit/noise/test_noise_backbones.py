from __future__ import annotations

import numpy as np
import pytest
import torch

from nrdfer.config.noise import COMPONENTS, NoiseSettings
from nrdfer.core.errors import NrdferError
from nrdfer.models.registry import build_model
from nrdfer.noise.backbones import _reduction, learnt_clips
from nrdfer.noise.corpus import arm_clips
from nrdfer.noise.training import FROZEN, network_of, shared_start

SETTINGS = NoiseSettings(image_size=32, network={"widths": [8, 8, 8]})


def test_the_networks_of_one_seed_start_from_the_same_weights() -> None:
    starts = {name: shared_start(name, SETTINGS, 3) for name in COMPONENTS}
    for name, start in starts.items():
        network = build_model(*network_of(name, SETTINGS))
        network.load_state_dict(start)
        assert all(torch.equal(start[part], starts["dsf"][part]) for part in start)
        assert any(part.startswith("dsf.dynamic.") for part in start) == name.startswith("dsf")
        assert ("temporal.token_D" in start) == ("dct" not in name)
    assert not torch.equal(shared_start("dct", SETTINGS, 4)["head.weight"], starts["dct"]["head.weight"])


def test_a_frozen_network_classifies_the_mean_of_its_features() -> None:
    network = build_model(*network_of(FROZEN, SETTINGS)).eval()
    x = torch.rand(2, 16, 3, 32, 32)
    with torch.no_grad():
        mean = network.features(x).mean(1) + network.temporal.position_TD[0]  # type: ignore[operator, union-attr, index]
        expected = network.head(network.temporal.encoder.final(mean))  # type: ignore[union-attr, operator]
        torch.testing.assert_close(network(x), expected)


def test_features_are_reduced_to_their_principal_components() -> None:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(40, 15, 6)) * [5, 3, 1, 0.1, 0.1, 0.1] + 7).astype(np.float32)
    reduced = _reduction(features, 3)(features).reshape(-1, 3)
    np.testing.assert_allclose(reduced.mean(0), 0, atol=1e-4)
    covariance = np.cov(reduced.T)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 1e-2
    assert np.diff(np.diag(covariance)).max() < 0 and np.diag(covariance).mean() == pytest.approx(1, abs=0.01)
    with pytest.raises(NrdferError, match=r"width 9, but the network only 6 features"):
        _reduction(features, 9)


def test_every_arms_clips_have_features() -> None:
    every = learnt_clips(SETTINGS)
    assert every == sorted(set(every))
    assert all(set(arm_clips(arm, SETTINGS)) <= set(every) for arm in "abc")
