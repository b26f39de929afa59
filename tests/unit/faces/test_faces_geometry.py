"""Anchors and their codes, suppression, and alignment."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devtools.pretraining.prior_matching import encode_boxes, encode_points
from nrdfer.faces.alignment import TEMPLATE_112, fit_template, template, umeyama, warp
from nrdfer.faces.priors import (
    decode_boxes,
    decode_points,
    iou,
    nms,
    prior_boxes,
)


def test_priors_lie_where_the_published_anchors_lie() -> None:
    priors = prior_boxes(64, 96)
    assert priors.shape == ((8 * 12 + 4 * 6 + 2 * 3) * 2, 4)
    pixels = priors * [96, 64, 96, 64]
    np.testing.assert_allclose(pixels[:3], [[4, 4, 16, 16], [4, 4, 32, 32], [12, 4, 16, 16]], rtol=1e-5)
    np.testing.assert_allclose(pixels[-1], [80, 48, 512, 512], rtol=1e-5)
    assert len(prior_boxes(65, 97)) == (9 * 13 + 5 * 7 + 3 * 4) * 2  # cells are rounded up
    assert prior_boxes.cache_info().maxsize is not None
    with pytest.raises(ValueError, match="positive"):
        prior_boxes(0, 5)


@given(st.integers(0, 2**32 - 1))
def test_codes_are_inverses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    priors = prior_boxes(320, 320)[rng.integers(0, 4000, 20)]
    corner = rng.uniform(0, 0.7, (20, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0.02, 0.3, (20, 2))], axis=1)
    points = rng.uniform(-0.1, 1.1, (20, 10))
    np.testing.assert_allclose(decode_boxes(encode_boxes(boxes, priors), priors), boxes, atol=1e-4)
    np.testing.assert_allclose(decode_points(encode_points(points, priors), priors), points, atol=1e-4)


def test_decoding_wild_predictions_stays_finite() -> None:
    priors = prior_boxes(64, 64)
    assert np.isfinite(decode_boxes(np.full_like(priors, 1e4), priors)).all()


def test_suppression_keeps_the_best_of_each_heap() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 1, 11, 11], [30, 30, 40, 40], [0, 0, 10, 10], [5, 0, 15, 10]], float)
    kept = nms(boxes, np.array([0.8, 0.9, 0.7, 0.95, 0.6]), 0.4)
    assert kept.tolist() == [3, 2, 4]
    assert nms(np.zeros((0, 4)), np.zeros(0)).tolist() == []
    np.testing.assert_allclose(iou(boxes[0], boxes), [1, 81 / 119, 0, 1, 1 / 3])


@settings(deadline=None)
@given(
    st.floats(-3.1, 3.1),
    st.floats(0.05, 20),
    st.floats(-500, 500),
    st.floats(-500, 500),
    st.integers(0, 1000),
)
def test_umeyama_recovers_any_similarity(turn: float, scale: float, dx: float, dy: float, seed: int) -> None:
    source = np.random.default_rng(seed).uniform(0, 200, (5, 2))
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = umeyama(source, source @ rotation.T + [dx, dy])
    np.testing.assert_allclose(matrix[:, :2], rotation, atol=1e-6 * max(1, scale))
    np.testing.assert_allclose(matrix[:, 2], [dx, dy], atol=1e-4)


def test_umeyama_is_the_least_squares_similarity() -> None:
    rng = np.random.default_rng(3)
    source, target = rng.uniform(0, 100, (2, 5, 2))
    target = source * 0.5 + target * 0.2
    # the same four-parameter problem, solved as linear least squares
    rows = [row for x, y in source for row in ([x, -y, 1, 0], [y, x, 0, 1])]
    a, b, dx, dy = np.linalg.lstsq(np.array(rows), target.ravel(), rcond=None)[0]
    np.testing.assert_allclose(umeyama(source, target), [[a, -b, dx], [b, a, dy]], atol=1e-9)


def test_umeyama_never_mirrors() -> None:
    matrix = umeyama(TEMPLATE_112 * [-1, 1], TEMPLATE_112)
    assert np.linalg.det(matrix[:, :2]) > 0


@pytest.mark.parametrize("bad", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), np.zeros((4, 3)), np.zeros((1, 2))])
def test_points_without_a_fit_are_a_value_error(bad: np.ndarray) -> None:
    with pytest.raises(ValueError):
        fit_template(bad)
    infinite = TEMPLATE_112.copy()
    infinite[2, 0] = np.inf
    with pytest.raises(ValueError):
        fit_template(infinite)


def test_template_shrinks_toward_the_centre_and_scales() -> None:
    np.testing.assert_allclose(template(112, 0), TEMPLATE_112)
    np.testing.assert_allclose(template(224, 0), TEMPLATE_112 * 2)
    np.testing.assert_allclose(template(112, 0.2) - 56, (TEMPLATE_112 - 56) * 0.8)
    with pytest.raises(ValueError, match="margin"):
        template(112, 0.95)


def test_residual_does_not_depend_on_size_and_margin() -> None:
    points = TEMPLATE_112 * 3 + np.random.default_rng(0).normal(0, 9, (5, 2))
    first = fit_template(points)[1]
    assert 1 < first < 10
    assert fit_template(points, 224, 0.3)[1] == pytest.approx(first)
    swapped = TEMPLATE_112[[1, 0, 2, 4, 3]]  # left for right
    assert fit_template(swapped)[1] > 10


def dots_picture(scale: float, turn: float, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture with a bright dot at each of five turned and scaled template points, and these points."""
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale
    points = (TEMPLATE_112 - 56) @ matrix.T + [width / 2, height / 2]
    picture = np.full((height, width, 3), 30, np.uint8)
    for x, y in points:
        cv2.circle(
            picture,
            (round(x * 16), round(y * 16)),
            round(4 * scale * 16),
            (250, 250, 250),
            -1,
            cv2.LINE_AA,
            4,
        )
    return picture, points


@pytest.mark.parametrize("scale", [0.8, 1.0, 2.3, 5.5, 8.0])
@pytest.mark.parametrize("turn", [0.0, 0.5, -1.2])
def test_aligned_points_meet_the_template(scale: float, turn: float) -> None:
    picture, points = dots_picture(scale, turn, 1203, 1601)
    matrix, residual = fit_template(points, 112, 0.1)
    crop = warp(picture, matrix, 112)
    assert crop.shape == (112, 112, 3)
    assert residual < 1e-6
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], template(112, 0.1), atol=1e-6)
    # the pixels, not only the numbers: each dot's centre of mass lies on its template point
    ys, xs = np.mgrid[0:112, 0:112]
    for x, y in template(112, 0.1):
        near = (np.hypot(xs - x, ys - y) < 6) * (crop[..., 0].astype(float) - 30)
        assert (near * xs).sum() / near.sum() == pytest.approx(x, abs=0.2)
        assert (near * ys).sum() / near.sum() == pytest.approx(y, abs=0.2)


def test_strong_shrinking_averages_instead_of_skipping_pixels() -> None:
    checkers = np.indices((900, 900)).sum(0) % 2 * 255
    picture = np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8)
    crop = warp(picture, np.array([[0.125, 0, 0], [0, 0.125, 0]]), 112)
    assert np.abs(crop.astype(int) - 127.5).max() < 3


def test_beyond_the_edge_the_picture_is_mirrored_not_black() -> None:
    picture = np.full((60, 60, 3), 180, np.uint8)
    crop = warp(picture, np.array([[1.0, 0, 30], [0, 1.0, 30]]), 112)
    assert crop.min() == crop.max() == 180
