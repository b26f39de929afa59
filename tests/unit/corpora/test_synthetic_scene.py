from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.corpora.synthetic.background import draw_background
from nrdfer.corpora.synthetic.camera import Camera, finish
from nrdfer.corpora.synthetic.face import render_face
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.scene import (
    draw_action,
    draw_light,
    occlude,
    place_face,
    random_face_crop,
    random_scene,
)
from tests.unit.staged_scene import Placement, render_scene


def a_face(seed: int, size: int = 120) -> tuple:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    who = draw_identity(rng)
    return who, render_face(who, draw_action(rng, who), light=draw_light(rng), size=size)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), width=st.integers(160, 400), height=st.integers(160, 400))
def test_random_scenes_hold_what_they_say(seed: int, width: int, height: int) -> None:
    scene = random_scene(np.random.default_rng(seed), width, height, 3)
    assert scene.rgb.shape == (height, width, 3)
    assert scene.rgb.dtype == np.uint8
    assert len(scene.faces) <= 3
    for face in scene.faces:
        x1, y1, x2, y2 = face.box
        assert 0 <= x1 < x2 <= width
        assert 0 <= y1 < y2 <= height
        assert 8 < y2 - y1 < 280
        assert ((face.points > -0.1 * max(width, height)) & (face.points < 1.1 * max(width, height))).all()


def test_random_scenes_are_made_of_their_generator_and_varied() -> None:
    first, again, other = (random_scene(np.random.default_rng(seed), 200, 200).rgb for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    counts, levels = [], []
    for seed in range(60):
        scene = random_scene(np.random.default_rng(seed), 160, 160)
        counts.append(len(scene.faces))
        levels.append(scene.rgb.mean())
    assert {0, 1, 2} <= set(counts)
    assert min(levels) < 40 < 110 < max(levels)  # dark ones and bright ones


def test_no_face_stands_before_another() -> None:
    for seed in range(80):
        boxes = [face.box for face in random_scene(np.random.default_rng(seed), 240, 240).faces]
        for i, a in enumerate(boxes):
            for b in boxes[:i]:
                overlap = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
                assert overlap == 0, seed


def test_a_face_is_painted_where_the_truth_says() -> None:
    who, face = a_face(4)
    picture = np.zeros((300, 400, 3), np.float32)
    seen = place_face(picture, face, who, (250.0, 140.0), 150.0)
    changed = np.argwhere(picture.any(2))
    assert 0.65 * 150 < seen.box[3] - seen.box[1] < 0.95 * 150
    assert abs(seen.points[:, 0].mean() - 250) < 15
    assert changed[:, 1].mean() == pytest.approx(250, abs=5)
    scale = 150.0 * 1.24 / 0.9 / 120
    assert np.allclose(np.diff(seen.points, axis=0), np.diff(face.points, axis=0) * scale, atol=0.01)


def test_the_same_head_smaller_is_the_same_picture_shrunk() -> None:
    import cv2

    who, face = a_face(6, 160)
    large, small = np.zeros((400, 400, 3), np.float32), np.zeros((100, 100, 3), np.float32)
    place_face(large, face, who, (199.5, 199.5), 200.0)
    place_face(small, face, who, (49.5, 49.5), 50.0)
    shrunk = cv2.resize(large, (100, 100), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - small)[20:80, 30:70].mean() < 0.02


def test_a_head_half_out_of_the_picture() -> None:
    who, face = a_face(7)
    picture = np.zeros((100, 100, 3), np.float32)
    seen = place_face(picture, face, who, (0.0, 50.0), 90.0)
    assert seen.box[0] == 0
    assert picture.any()
    place_face(picture, face, who, (-500.0, 50.0), 90.0)  # all of it: nothing breaks


def test_occlusion_covers_its_share() -> None:
    box = np.array([100, 80, 200, 220], np.float32)
    for seed in range(12):
        picture = np.zeros((300, 300, 3), np.float32)
        occlude(picture, box, np.random.default_rng(seed), 0.8)
        covered = picture[80:220, 100:200].any(2).mean()
        assert 0.75 < covered <= 1


def test_a_scene_of_two_people() -> None:
    (one, far), (two, near) = a_face(1), a_face(2)
    people = [
        Placement(far, one, (150.0, 200.0), 90.0, "other"),
        Placement(near, two, (480.0, 260.0), 260.0),
    ]
    scene = render_scene(np.random.default_rng(0), people)
    assert scene.rgb.shape == (576, 720, 3)
    assert [face.role for face in scene.faces] == ["other", "target"]
    dark = render_scene(np.random.default_rng(0), people, gain=0.2)
    assert dark.rgb.mean() < 0.35 * scene.rgb.mean()


def test_face_crops_show_a_bright_face() -> None:
    crops = [random_face_crop(np.random.default_rng(seed), 96) for seed in range(20)]
    assert all(crop.shape == (96, 96, 3) and crop.dtype == np.uint8 for crop in crops)
    assert 60 < np.mean([crop.mean() for crop in crops]) < 180
    assert np.array_equal(crops[5], random_face_crop(np.random.default_rng(5), 96))


@pytest.mark.parametrize(("width", "height"), [(64, 48), (320, 320), (720, 576), (721, 575)])
def test_backgrounds_of_any_size(width: int, height: int) -> None:
    picture = draw_background(np.random.default_rng(0), width, height)
    assert picture.shape == (height, width, 3)
    assert 0 <= picture.min() < picture.max() <= 1


def test_the_camera_exposes_and_adds_noise() -> None:
    grey = np.full((120, 160, 3), 0.5, np.float32)
    still = finish(grey, np.random.default_rng(0), 0.6, 0.02)
    assert still.mean() == pytest.approx(0.3 * 255, abs=1)
    assert still[..., 0].std() == pytest.approx(0.02 * 255, rel=0.1)
    camera = Camera(np.random.default_rng(0), 160, 120, 0.6, 0.02)
    first, second = camera.photograph(grey), camera.photograph(grey)
    assert first.mean() == pytest.approx(0.3 * 255, abs=1)
    assert 0.02 * 255 * 0.9 < first[..., 0].std() < 0.02 * 255 * 1.3
    assert not np.array_equal(first, second)


def test_a_real_detector_finds_rendered_faces_where_the_truth_says(shared_dir: Path) -> None:
    from nrdfer.faces.load_detector import load_detector

    detector = load_detector(shared_dir / "weights/retinaface_mobilenet0.25.pth", threshold=0.7, max_side=320)
    errors = []
    for seed in range(24):
        rng = np.random.default_rng([11, seed])
        who = draw_identity(rng)
        face = render_face(who, draw_action(rng, who), light=draw_light(rng), size=160)
        scene = render_scene(rng, [Placement(face, who, (160.0, 150.0), 170.0)], width=320, height=320)
        truth = scene.faces[0]
        tall = truth.box[3] - truth.box[1]
        found = detector.detect(scene.rgb)
        errors.append(min((np.abs(f.points - truth.points).mean() / tall for f in found), default=np.inf))
    assert np.mean(np.array(errors) < 0.05) >= 0.95
    assert np.median(errors) < 0.025
