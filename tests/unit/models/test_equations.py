"""The paper's equations in the network, against their independent restatement: 200 random shapes and values each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nrdfer.core.emotions import EMOTIONS
from nrdfer.models.dct import TemporalStage, dynamic_class_token
from nrdfer.models.dsf import DynamicStaticFusion, frame_differences, make_dynamic_branch
from nrdfer.models.encoder import Encoder, EncoderSettings
from nrdfer.models.nrdfernet import NRDFERNet, NRDFERNetSettings
from nrdfer.models.snippet_filter import filter_logits, filter_probabilities, find_vetoes, snippet_starts
from tests.unit.models import restated

NEUTRAL = EMOTIONS.index("neutral")

seeds = st.integers(0, 2**31 - 1)
examples = settings(max_examples=200, deadline=None)
encoders = st.builds(
    EncoderSettings,
    depth=st.integers(1, 3),
    heads=st.integers(1, 4),
    dim_head=st.integers(1, 6),
    mlp=st.integers(1, 9),
)


def _close(ours: npt.NDArray[Any], expected: npt.NDArray[np.float64]) -> None:
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5)


def _shake(module: nn.Module, seed: int) -> dict[str, npt.NDArray[np.float64]]:
    """Random values for every weight and every statistic of the norms, in double precision; returns them.

    In double precision, because a norm over two nearly equal values makes any rounding as large as it likes. What
    single precision does at usual sizes is looked at by itself.
    """
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                random = torch.randn(value.shape, generator=generator, dtype=torch.float64)
                value.copy_(random.abs() + 0.5 if name.endswith("running_var") else 0.5 * random)
    return {name: value.numpy() for name, value in module.state_dict().items()}


def _noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@examples
@given(
    seed=seeds, batch=st.integers(1, 3), frames=st.integers(2, 8), channels=st.integers(1, 5), side=st.integers(1, 6)
)
def test_equation_1_differences_of_neighbours(seed: int, batch: int, frames: int, channels: int, side: int) -> None:
    maps = _noise(seed, batch, frames, channels, side, side)
    ours, double = frame_differences(maps).numpy(), maps.numpy()
    for i in range(frames - 1):
        _close(ours[:, i], double[:, i + 1] - double[:, i])
    assert ours.shape[1] == frames - 1


@examples
@given(
    seed=seeds,
    frames=st.integers(2, 4),
    channels=st.integers(1, 5),
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    encoder=encoders,
    kind=st.sampled_from(["basic", "plain"]),
    blocks=st.integers(1, 3),
    kernel=st.sampled_from([1, 3]),
    activation=st.booleans(),
)
def test_equations_1_to_4_dynamic_static_fusion(
    seed: int, frames: int, channels: int, height: int, width: int, encoder: EncoderSettings, **options: Any
) -> None:
    kind, blocks = options["kind"], options["blocks"]
    dsf = DynamicStaticFusion(
        channels,
        -(-height // 2) * -(-width // 2),
        encoder,
        make_dynamic_branch(kind, channels, blocks),
        conv_d_kernel=options["kernel"],
        conv_d_activation=options["activation"],
    )
    weights, maps = _shake(dsf, seed), _noise(seed + 1, 2, frames, channels, height, width)
    with torch.no_grad():
        ours = dsf(maps).numpy()
    for b in range(2):
        expected = restated.fused_features(maps[b].numpy(), weights, kind, blocks, encoder.depth, encoder.heads)
        _close(ours[b], expected)


@pytest.mark.parametrize("seed", range(5))
def test_equations_1_to_5_in_single_precision_at_usual_sizes(seed: int) -> None:
    torch.manual_seed(seed)
    model = NRDFERNet(NRDFERNetSettings(image_size=48, frames=4, widths=(8, 16, 32))).eval()
    weights = {name: value.double().numpy() for name, value in model.state_dict().items()}
    maps = _noise(seed, 1, 4, 32, 3, 3)
    with torch.no_grad():
        fused = model.dsf(maps.float()).flatten(2)
        state = model.temporal(fused)
    expected = restated.fused_features(maps[0].numpy(), restated.part(weights, "dsf"), "basic", 3, 2, 4)
    flat = expected.reshape(3, -1)
    _close(fused[0].numpy(), flat)
    _close(state[0, 0].numpy(), restated.class_token_state(flat, restated.part(weights, "temporal"), 4, 4))


@examples
@given(seed=seeds, tokens=st.integers(1, 9), dim=st.integers(1, 9), encoder=encoders)
def test_the_transformer_encoder(seed: int, tokens: int, dim: int, encoder: EncoderSettings) -> None:
    module = Encoder(dim, encoder)
    weights, x = _shake(module, seed), _noise(seed + 1, 2, tokens, dim)
    with torch.no_grad():
        ours = module(x).numpy()
    for b in range(2):
        expected = restated.encoder(x[b].numpy(), weights, encoder.depth, encoder.heads)
        _close(ours[b], expected)


@examples
@given(seed=seeds, length=st.integers(1, 8), dim=st.integers(1, 9), encoder=encoders, dynamic=st.booleans())
def test_equation_5_and_the_temporal_stage(
    seed: int, length: int, dim: int, encoder: EncoderSettings, dynamic: bool
) -> None:
    stage = TemporalStage(dim, length, encoder, dynamic_token=dynamic)
    weights, features = _shake(stage, seed), _noise(seed + 1, 2, length, dim)
    double = features.numpy()
    with torch.no_grad():
        ours = stage(features).numpy()
    _close(dynamic_class_token(features)[:, 0].numpy(), double.sum(1) / length)
    for b in range(2):
        expected = restated.class_token_state(double[b], weights, encoder.depth, encoder.heads)
        _close(ours[b, 0], expected)


@examples
@given(length=st.integers(1, 64), width=st.integers(1, 64), stride=st.integers(1, 9))
def test_equation_6_the_number_and_places_of_snippets(length: int, width: int, stride: int) -> None:
    if width <= length:
        expected = restated.snippets_of(length, width, stride)
        assert [list(range(start, start + width)) for start in snippet_starts(length, width, stride)] == expected


@pytest.mark.slow
@examples
@given(seed=seeds, frames=st.integers(4, 9), width=st.integers(1, 3), stride=st.integers(1, 3))
def test_snippets_pass_the_temporal_stage_like_sequences(seed: int, frames: int, width: int, stride: int) -> None:
    """Equations 5 and 6 together: every window has a class token of its own, and sees nothing outside."""
    s = NRDFERNetSettings(
        image_size=16,
        frames=frames,
        widths=(2, 2, 3),
        spatial_depth=1,
        spatial_mlp=4,
        temporal_depth=2,
        temporal_mlp=5,
        snippet_width=width,
        snippet_stride=stride,
    )
    model = NRDFERNet(s)
    weights, features = _shake(model, seed), _noise(seed + 1, 1, frames - 1, s.token_dim)
    with torch.no_grad():
        ours = model.classify(features, s.snippets)[0].numpy()
    temporal = restated.part(weights, "temporal")
    for window, logits in zip(restated.snippets_of(frames - 1, width, stride), ours, strict=True):
        state = restated.class_token_state(features[0].numpy()[window], temporal, 2, 4)
        _close(logits, weights["head.weight"] @ state + weights["head.bias"])


@examples
@given(
    seed=seeds, snippets=st.integers(0, 5), scale=st.floats(0.1, 8), mu1=st.floats(0.2, 0.95), mu2=st.floats(0.01, 0.4)
)
def test_equation_7_the_snippet_based_filter(seed: int, snippets: int, scale: float, mu1: float, mu2: float) -> None:
    logits, own = scale * _noise(seed, 4, 7), scale * _noise(seed + 1, 4, snippets, 7)
    vetoes = find_vetoes(own, mu1, mu2, NEUTRAL)
    zeroed = filter_probabilities(logits, vetoes, NEUTRAL, "zeroed").numpy()
    renormalised = filter_probabilities(logits, vetoes, NEUTRAL).numpy()
    for b in range(4):
        expected = restated.final_probabilities(logits[b].numpy(), own[b].numpy(), mu1, mu2, NEUTRAL)
        _close(zeroed[b], expected)
        _close(renormalised[b], expected / expected.sum())
        assert filter_logits(logits, vetoes, NEUTRAL)[b].argmax() == expected.argmax()


@examples
@given(powers=st.lists(st.integers(1, 5), min_size=7, max_size=7), above=st.booleans(), below=st.booleans())
def test_equality_in_equation_7_vetoes_nothing(powers: list[int], above: bool, below: bool) -> None:
    """At exactly mu1 or mu2, which the paper leaves open, the sequence's own logits decide."""
    snippet = -torch.tensor([[powers]], dtype=torch.float64) * np.log(2)
    p = snippet.softmax(-1)[0, 0]
    top, neutral = float(p.max()), float(p[NEUTRAL])
    mu1 = float(np.nextafter(top, 0)) if above else top
    mu2 = float(np.nextafter(neutral, 1)) if below else neutral
    assert find_vetoes(snippet, mu1, mu2, NEUTRAL).tolist() == [above and below]
