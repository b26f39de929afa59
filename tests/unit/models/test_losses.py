from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.models.losses import CenterLoss, ec_stfl_loss


def _batch(seed: int, clips: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(clips, dim, generator=generator, dtype=torch.float64)
    return features, torch.randint(0, 4, (clips,), generator=generator)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), clips=st.integers(1, 9), dim=st.integers(1, 6), rate=st.floats(0.05, 1))
def test_center_loss_and_its_centres_word_by_word(seed: int, clips: int, dim: int, rate: float) -> None:
    """Wen et al. 2016, equations 2 and 4, over two batches."""
    loss = CenterLoss(5, dim, rate).double()
    centres = np.zeros((5, dim))
    for step in range(2):
        features, y = _batch(seed + step, clips, dim)
        found = loss(features, y).item()
        expected = 0.0
        for x, label in zip(features.numpy(), y.tolist(), strict=True):
            expected += 0.5 * float(((x - centres[label]) ** 2).sum()) / clips
        np.testing.assert_allclose(found, expected, atol=1e-12)
        moved = centres.copy()
        for j in range(5):
            own = [x for x, label in zip(features.numpy(), y.tolist(), strict=True) if label == j]
            change = sum((centres[j] - x for x in own), np.zeros(dim)) / (1 + len(own))
            moved[j] = centres[j] - rate * change
        centres = moved
        np.testing.assert_allclose(loss.centres_KD.numpy(), centres, atol=1e-12)


def test_center_loss_pulls_features_to_their_centre_and_rests_in_testing() -> None:
    loss = CenterLoss(3, 2, 0.5)
    loss.centres_KD[1] = torch.tensor([3.0, -1.0])
    features = torch.zeros(1, 2, requires_grad=True)
    loss.eval()
    torch.autograd.backward(loss(features, torch.tensor([1])))
    assert features.grad is not None
    assert features.grad.tolist() == [[-3.0, 1.0]]  # downhill is towards the centre
    assert loss.centres_KD[1].tolist() == [3.0, -1.0]
    assert "centres_KD" in loss.state_dict()  # a continued training must find them where they were


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10**6), clips=st.integers(1, 9), dim=st.integers(1, 6))
def test_ec_stfl_clip_by_clip(seed: int, clips: int, dim: int) -> None:
    features, y = _batch(seed, clips, dim)
    rows, total = features.numpy(), 0.0
    for i in range(clips):
        near = [float(np.abs(rows[i] - rows[j]).sum()) for j in range(clips) if y[j] == y[i]]
        far = [1 / (float(np.abs(rows[i] - rows[j]).sum()) + 1e-6) for j in range(clips) if y[j] != y[i]]
        total += sum(near) / (len(near) + 1e-6) * sum(far) / (len(far) + 1 + 1e-6)
    np.testing.assert_allclose(ec_stfl_loss(features, y).item(), total / clips**2, rtol=1e-9, atol=1e-15)


def test_ec_stfl_gathers_an_emotion_and_parts_two() -> None:
    y = torch.tensor([0, 0, 1, 1])
    clustered = torch.tensor([[0.0, 0], [0.1, 0], [9, 9], [9.1, 9]])
    mixed = clustered[[0, 2, 1, 3]]
    assert ec_stfl_loss(clustered, y) < 0.01 * ec_stfl_loss(mixed, y)
    features = mixed.clone().requires_grad_()
    torch.autograd.backward(ec_stfl_loss(features, y))
    assert features.grad is not None
    assert ec_stfl_loss(mixed - 0.1 * features.grad, y) < ec_stfl_loss(mixed, y)
