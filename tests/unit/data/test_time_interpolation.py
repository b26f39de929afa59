from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.data.time_interpolation import interpolate, linear_weights, tim_weights


def _published_procedure(X: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Zhou et al.'s graph embedding step by step, for linearly independent frames (columns of X, pixels x n).

    Centre, reduce by SVD, embed the path graph by its Laplacian, map frames to the embedding linearly, and walk the
    curve of sines that the embedding lies on, back to pixels.
    """
    n = X.shape[1]
    mean = X.mean(1, keepdims=True)
    u, s, vt = np.linalg.svd(X - mean, full_matrices=False)
    u, y = u[:, : n - 1], np.diag(s[: n - 1]) @ vt[: n - 1]
    path = np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    laplacian = np.diag(path.sum(0)) - path
    _, vectors = np.linalg.eigh(laplacian)
    w = np.linalg.solve(y @ y.T, y @ vectors[:, 1:])
    k = np.arange(1, n)
    first = np.sin(np.pi * k / n + np.pi * (n - k) / (2 * n))
    scale = (y[:, 0] @ w) / first
    out = []
    for position in np.linspace(1 / n, 1, count):
        curve = np.sin(np.pi * k * position + np.pi * (n - k) / (2 * n))
        out.append(mean[:, 0] + u @ np.linalg.solve(w.T, scale * curve))
    return np.stack(out)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(2, 24), count=st.integers(2, 20), seed=st.integers(0, 10**6))
def test_the_closed_form_is_the_graph_embedding(n: int, count: int, seed: int) -> None:
    frames = np.random.default_rng(seed).normal(size=(60, n))
    np.testing.assert_allclose(tim_weights(n, count) @ frames.T, _published_procedure(frames, count), atol=1e-6)


@given(n=st.integers(1, 60), count=st.integers(1, 40), method=st.sampled_from(["ti", "linear"]))
def test_weights_sum_to_one_and_the_ends_stay(n: int, count: int, method: str) -> None:
    weights = tim_weights(n, count) if method == "ti" else linear_weights(n, count)
    assert weights.shape == (count, n)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-9)
    np.testing.assert_allclose(weights[0], np.eye(n)[0], atol=1e-9)
    if count > 1:
        np.testing.assert_allclose(weights[-1], np.eye(n)[-1], atol=1e-9)


@pytest.mark.parametrize("method", ["ti", "linear"])
def test_a_clip_of_the_right_length_is_left_as_it_is(method: str) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (16, 9, 11, 3), dtype=np.uint8)
    np.testing.assert_array_equal(interpolate(frames, 16, method), frames)


def test_graph_embedding_is_no_linear_blend() -> None:
    """Half-way between two frames the curve also bends with their neighbours."""
    ramp = np.array([0, 0, 0, 200, 200, 200], dtype=np.uint8).reshape(6, 1, 1, 1).repeat(3, axis=3)
    embedded, blended = interpolate(ramp, 16), interpolate(ramp, 16, "linear")
    assert blended.max() == 200
    assert embedded.max() > 205  # overshoots, as sines do
    assert embedded[0, 0, 0, 0] == blended[0, 0, 0, 0] == 0


def test_values_stay_in_eight_bits() -> None:
    ramp = np.array([0, 0, 255, 255], dtype=np.uint8).reshape(4, 1, 1, 1)
    out = interpolate(ramp, 31)[:, 0, 0, 0]
    assert out.min() == 0
    assert out.max() == 255
    assert out[:8].max() < 60  # an undershoot must not come back as 250


@pytest.mark.parametrize("method", ["ti", "linear"])
@pytest.mark.parametrize("n", [1, 2, 5, 15])
def test_short_clips_and_stills_are_stretched(method: str, n: int) -> None:
    still = np.full((n, 4, 4, 3), 77, dtype=np.uint8)
    np.testing.assert_array_equal(interpolate(still, 16, method), np.full((16, 4, 4, 3), 77))


def test_large_frames_are_interpolated_like_small_ones() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (20, 112, 112, 3), dtype=np.uint8)
    whole = interpolate(frames, 16)
    np.testing.assert_array_equal(whole[:, 50:60, 7:90], interpolate(frames[:, 50:60, 7:90].copy(), 16))


def test_what_cannot_be_interpolated_is_refused() -> None:
    frames = np.zeros((3, 2, 2, 3), dtype=np.uint8)
    with pytest.raises(ValueError, match="one of ti, linear, not 'cubic'"):
        interpolate(frames, 16, "cubic")
    with pytest.raises(ValueError, match="0 frames to 16"):
        interpolate(frames[:0], 16)
    with pytest.raises(ValueError, match="3 frames to 0"):
        interpolate(frames, 0)
