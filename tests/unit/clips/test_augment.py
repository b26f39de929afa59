from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.clips.augment import AugmentSettings, Change, apply, draw, plain

STRONG = AugmentSettings(area=(0.5, 1.0), rotation=15.0, brightness=0.6, contrast=0.4)


def _picture(seed: int = 0, side: int = 40) -> npt.NDArray[np.uint8]:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), frames=st.integers(2, 16))
def test_every_frame_of_a_clip_gets_the_same_change(seed: int, frames: int) -> None:
    clip = np.stack([_picture(seed)] * frames)
    change = draw((40, 40), 24, STRONG, np.random.default_rng(seed))
    x_TCHW = apply(clip, change, 24)
    assert x_TCHW.shape == (frames, 3, 24, 24)
    assert x_TCHW.dtype == np.float32
    assert (x_TCHW == x_TCHW[0]).all()
    assert x_TCHW.min() >= 0
    assert x_TCHW.max() <= 1


def test_clips_get_different_changes() -> None:
    rng = np.random.default_rng(0)
    changes = [draw((40, 40), 24, AugmentSettings(), rng) for _ in range(50)]
    assert len({change.brightness for change in changes}) == 50
    assert len({change.matrix.tobytes() for change in changes}) == 50


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.tuples(st.integers(20, 300), st.integers(20, 300)),
)
def test_a_crop_lies_inside_the_picture_and_keeps_the_asked_area(seed: int, size: tuple[int, int]) -> None:
    settings_ = AugmentSettings(rotation=0.0)
    out = 64
    change = draw(size, out, settings_, np.random.default_rng(seed))
    inverse = cv2.invertAffineTransform(change.matrix)
    corners = np.array([[-0.5, -0.5, 1], [out - 0.5, out - 0.5, 1]]) @ inverse.T
    low, high = corners.min(0), corners.max(0)
    height, width = size
    assert (low >= -0.5 - 1e-6).all()
    assert high[0] <= width - 0.5 + 1e-6
    assert high[1] <= height - 0.5 + 1e-6
    share = np.prod(high - low) / (height * width)
    assert 0.9 - 1e-9 <= share <= 1 + 1e-9


def test_flips_happen_as_often_as_asked() -> None:
    rng = np.random.default_rng(0)
    flipped = [draw((40, 40), 40, AugmentSettings(flip=0.25), rng).matrix[0, 0] < 0 for _ in range(2000)]
    assert np.mean(flipped) == pytest.approx(0.25, abs=0.03)


def test_a_flip_mirrors() -> None:
    only_flip = AugmentSettings(area=(1, 1), ratio=(1, 1), flip=1.0, rotation=0.0, brightness=0.0)
    picture = _picture()
    change = draw((40, 40), 40, only_flip, np.random.default_rng(0))
    expected = picture[:, ::-1].transpose(2, 0, 1) / 255.0
    np.testing.assert_allclose(apply(picture[None], change, 40)[0], expected, atol=2 / 255)


def test_rotation_turns_around_the_middle_by_the_drawn_angle() -> None:
    only_turn = AugmentSettings(area=(1, 1), ratio=(1, 1), flip=0.0, rotation=10.0, brightness=0.0)
    change = draw((41, 41), 41, only_turn, np.random.default_rng(5))
    np.testing.assert_allclose(change.matrix @ [20, 20, 1], [20, 20], atol=1e-9)
    assert np.linalg.det(change.matrix[:, :2]) == pytest.approx(1)
    assert 0 < abs(np.degrees(np.arctan2(change.matrix[1, 0], change.matrix[0, 0]))) <= 10


def test_brightness_scales_and_contrast_spreads_around_the_clips_mean() -> None:
    clip = np.full((2, 8, 8, 3), 100, np.uint8)
    clip[1] = 50
    identity = plain((8, 8), 8).matrix
    bright = apply(clip, Change(identity, brightness=1.5), 8)
    np.testing.assert_allclose(bright[0], 150 / 255, rtol=1e-6)
    np.testing.assert_allclose(bright[1], 75 / 255, rtol=1e-6)
    spread = apply(clip, Change(identity, contrast=1.4), 8)
    np.testing.assert_allclose(spread[0], (75 + 25 * 1.4) / 255, rtol=1e-5)
    np.testing.assert_allclose(spread[1], (75 - 25 * 1.4) / 255, rtol=1e-5)


def test_testing_resizes_only() -> None:
    picture = _picture(side=48)
    x_CHW = apply(picture[None], plain((48, 48), 24), 24)[0]
    expected = cv2.resize(picture, (24, 24), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(x_CHW, expected.transpose(2, 0, 1) / 255.0, atol=1.5 / 255)
    same = apply(picture[None], plain((48, 48), 48), 48)[0]
    np.testing.assert_array_equal(same, (picture.transpose(2, 0, 1).astype(np.float32) / 255.0))


@pytest.mark.parametrize(
    "values", [{"area": (0.0, 1.0)}, {"area": (0.9, 1.1)}, {"flip": 2.0}, {"rotation": -1.0}, {"ratio": (2.0, 1.0)}]
)
def test_settings_that_cannot_be_meant_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        AugmentSettings(**values)  # type: ignore[arg-type]
