from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.models.layers3d import MaxPool3d, clip_to_volume, mean_over_volume


@settings(max_examples=100, deadline=None)
@given(
    sides=st.tuples(*[st.integers(3, 9)] * 3),
    kernel=st.tuples(*[st.integers(1, 3)] * 3),
    stride=st.tuples(*[st.integers(1, 3)] * 3),
    padded=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_pooling_in_two_passes_is_torchs(
    sides: tuple[int, int, int],
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int],
    padded: bool,
    seed: int,
) -> None:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2) if padded else (0, 0, 0)
    x = torch.randn(2, 3, *sides, generator=torch.Generator().manual_seed(seed), requires_grad=True)
    ours, torchs = MaxPool3d(kernel, stride, padding)(x), F.max_pool3d(x, kernel, stride, padding)
    assert torch.equal(ours, torchs)
    ramp = torch.arange(float(ours.numel())).view(ours.shape)
    (mine,) = torch.autograd.grad((ours * ramp).sum(), x, retain_graph=True)
    (its,) = torch.autograd.grad((torchs * ramp).sum(), x)
    torch.testing.assert_close(mine, its)


def test_clips_and_volumes() -> None:
    x_BTCHW = torch.rand(2, 5, 3, 4, 6)
    volume = clip_to_volume(x_BTCHW)
    assert volume.shape == (2, 3, 5, 4, 6)
    assert mean_over_volume(volume)[1, 2].item() == pytest.approx(x_BTCHW[1, :, 2].mean().item(), abs=1e-6)
