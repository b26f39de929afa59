from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.data.augment import DRAWS, AugmentSettings, Change, apply, apply_into, change_of, plain
from nrdfer.data.augment_gpu import MAX_LEVELS, MEAN_LEVELS, apply_batch, pack
from tests.unit.data.drawn import smooth

STRONG = AugmentSettings(area=(0.5, 1.0), rotation=15.0, brightness=0.6, contrast=0.4)


def draw(size: tuple[int, int], out: int, settings: AugmentSettings, rng: np.random.Generator) -> Change:
    """A random change for clips of pictures of `size` (height, width)."""
    return change_of(size, out, settings, rng.random(DRAWS).tolist())


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


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.tuples(st.integers(20, 300), st.integers(20, 300)))
def test_numbers_drawn_at_once_are_those_drawn_one_by_one(seed: int, size: tuple[int, int]) -> None:
    changes = AugmentSettings(area=(0.5, 1.0), contrast=0.4)
    made = draw(size, 24, changes, np.random.default_rng(seed))
    rng, (height, width) = np.random.default_rng(seed), size
    for _ in range(10):
        area, ratio = rng.uniform(0.5, 1.0), np.exp(rng.uniform(np.log(5 / 7), np.log(7 / 5)))
        w, h = np.sqrt(area * ratio * width * height), np.sqrt(area / ratio * width * height)
        if w <= width and h <= height:
            break
    else:
        w, h = width, height
    centre = [rng.uniform(w / 2, width - w / 2) - 0.5, rng.uniform(h / 2, height - h / 2) - 0.5]
    np.testing.assert_allclose(made.matrix @ [*centre, 1], [11.5, 11.5], atol=1e-9)
    angle = rng.uniform(-4, 4)
    mirrored = rng.random() < 0.5
    assert (np.linalg.det(made.matrix[:, :2]) < 0) == mirrored
    turned = np.degrees(np.arctan2(made.matrix[1, 0], made.matrix[1, 1]))
    assert np.tan(np.radians(turned)) == pytest.approx(np.tan(np.radians(angle)))
    assert (made.brightness, made.contrast) == pytest.approx((rng.uniform(0.4, 1.6), rng.uniform(0.6, 1.4)))


def test_numbers_that_are_not_needed_change_nothing() -> None:
    draws = np.random.default_rng(0).random(DRAWS).tolist()
    used = change_of((40, 40), 24, AugmentSettings(ratio=(1.0, 1.0)), draws)
    other = change_of((40, 40), 24, AugmentSettings(ratio=(1.0, 1.0)), [*draws[:8], *[0.5] * (DRAWS - 8)])
    assert used.matrix.tolist() == other.matrix.tolist()
    assert (used.brightness, used.contrast) == (other.brightness, other.contrast)


def _pictures(kind: str, rng: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return smooth(rng, 2, *size) if kind == "smooth" else rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["smooth", "noise"])
@pytest.mark.parametrize("size", [(112, 112), (224, 224), (96, 136)])
def test_both_ways_of_warping_agree_as_far_as_is_said(kind: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    clips = [_pictures(kind, rng, size) for _ in range(12)]
    drawn = [draw(size, 112, AugmentSettings(brightness=0), np.random.default_rng(i)) for i in range(11)]
    changes = [plain(size, 112), *drawn]
    batch = apply_batch(torch.from_numpy(np.stack(clips)), *pack(changes, size), 112).numpy()
    ours = np.stack([apply(clip, change, 112) for clip, change in zip(clips, changes, strict=True)])
    levels = np.abs(batch - ours) * 255
    assert levels.mean() <= MEAN_LEVELS[kind]
    assert levels.max() <= MAX_LEVELS[kind]


def test_both_ways_of_colouring_agree() -> None:
    size = (40, 40)
    clips = [smooth(np.random.default_rng(i), 3, *size) for i in range(4)]
    colours = [(1.0, 1.0), (1.6, 1.0), (0.5, 1.4), (1.3, 0.6)]
    changes = [Change(plain(size, 40).matrix, *colour) for colour in colours]
    batch = apply_batch(torch.from_numpy(np.stack(clips)), *pack(changes, size), 40).numpy()
    for i, (clip, change) in enumerate(zip(clips, changes, strict=True)):
        # nothing is warped, so nothing is rounded to whole levels but what was read
        np.testing.assert_allclose(batch[i], apply(clip, change, 40), atol=1e-4)
        mean = clip.mean() / 255
        plainly = ((clip.transpose(0, 3, 1, 2) / 255 - mean) * change.contrast + mean) * change.brightness
        np.testing.assert_allclose(apply(clip, change, 40), plainly.clip(0, 1), atol=1e-6)


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    size = (40, 48)
    clips = torch.from_numpy(np.stack([smooth(np.random.default_rng(i), 3, *size) for i in range(5)]))
    changes = [draw(size, 24, STRONG, np.random.default_rng(i)) for i in range(5)]
    together = apply_batch(clips, *pack(changes, size), 24)
    assert together.shape == (5, 3, 3, 24, 24)
    assert together.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    for i in range(5):
        alone = apply_batch(clips[i : i + 1], *pack(changes[i : i + 1], size), 24)
        torch.testing.assert_close(alone[0], together[i], rtol=0, atol=1e-6)


def test_values_are_written_where_they_are_wanted_or_not_at_all() -> None:
    clip, change = np.stack([_picture()] * 2), plain((40, 40), 24)
    room = np.full((3, 2, 24, 24, 3), -1, np.float32)
    apply_into(clip, change, room[1])
    np.testing.assert_array_equal(room[1].transpose(0, 3, 1, 2), apply(clip, change, 24))
    assert (room[[0, 2]] == -1).all()
    for wrong in (room[1, :1], room[1].astype(np.float64), room[1].transpose(0, 2, 1, 3), room[1, :, :20]):
        with pytest.raises(ValueError, match="contiguous float32"):
            apply_into(clip, change, wrong)
