from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.expression import ACTIONS, act, draw_course, prototype
from nrdfer.corpora.synthetic.face import Light, Pose, RenderedFace, render_face
from nrdfer.corpora.synthetic.identity import Identity, draw_identity

ONES, ZEROS = np.ones(len(ACTIONS), np.float32), np.zeros(len(ACTIONS), np.float32)


def person(seed: int = 0) -> Identity:
    return dataclasses.replace(draw_identity(np.random.default_rng(seed)), glasses=0.0, expressiveness=1.0)


def show(who: Identity, emotion: str, intensity: float = 1.0, pose: Pose = Pose(), size: int = 96) -> RenderedFace:  # noqa: B008
    return render_face(who, act(who, emotion, intensity, ONES, ZEROS), pose, size=size)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    emotion=st.sampled_from(EMOTIONS),
    yaw=st.floats(-0.6, 0.6),
    pitch=st.floats(-0.3, 0.3),
    roll=st.floats(-0.4, 0.4),
)
def test_every_face_is_a_picture_with_its_points_inside_its_box(
    seed: int, emotion: str, yaw: float, pitch: float, roll: float
) -> None:
    face = show(draw_identity(np.random.default_rng(seed)), emotion, pose=Pose(yaw, pitch, roll))
    assert face.rgb.dtype == np.float32
    assert face.rgb.shape == (96, 96, 3)
    assert np.isfinite(face.rgb).all()
    assert 0 <= face.rgb.min() <= face.rgb.max() <= 1
    assert 0 <= face.alpha.min() <= face.alpha.max() <= 1
    assert face.alpha[48, 48] == 1
    slack = 4
    x, y = face.points.T
    assert ((x > face.box[0] - slack) & (x < face.box[2] + slack)).all()
    assert ((y > face.box[1] - slack) & (y < face.box[3] + slack)).all()


def test_points_have_the_order_of_detectors() -> None:
    left_eye, right_eye, nose, left_mouth, right_mouth = show(person(), "neutral").points
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_the_pupils_are_where_the_eye_points_say() -> None:
    face = show(person(3), "surprise", size=160)
    for x, y in face.points[:2].round().astype(int):
        assert face.rgb[y - 2 : y + 3, x - 2 : x + 3].min() < 0.1  # the pupil
        assert face.rgb[y - 4 : y + 5, x - 9 : x + 10].max() > 0.6  # the white beside it


def test_a_turned_head_shows_more_of_one_side() -> None:
    def nose_share(yaw: float) -> float:
        left, right, nose = show(person(), "neutral", pose=Pose(yaw=yaw)).points[:3, 0]
        return float((nose - left) / (right - left))

    assert nose_share(-0.4) < 0.42 < 0.45 < nose_share(0.0) < 0.55 < 0.58 < nose_share(0.4)


def test_roll_turns_the_points_about_the_middle() -> None:
    straight, rolled = (show(person(), "neutral", pose=Pose(roll=roll)).points for roll in (0.0, 0.3))
    centre = (96 - 1) / 2
    cos, sin = np.cos(0.3), np.sin(0.3)
    turned = (straight - centre) @ np.array([[cos, sin], [-sin, cos]]) + centre
    assert np.abs(turned[[0, 1, 3, 4]] - rolled[[0, 1, 3, 4]]).max() < 0.01


def test_pitch_moves_the_nose_against_eyes_and_mouth() -> None:
    def share(pitch: float) -> float:
        points = show(person(), "neutral", pose=Pose(pitch=pitch)).points
        eyes, mouth = points[:2, 1].mean(), points[3:, 1].mean()
        return float((points[2, 1] - eyes) / (mouth - eyes))

    assert share(-0.3) < share(0.0) < share(0.3)


def test_the_seven_emotions_differ_from_each_other_more_than_noise() -> None:
    who = person(5)
    faces = {emotion: show(who, emotion, size=72).rgb for emotion in EMOTIONS}
    for a in EMOTIONS:
        for b in EMOTIONS:
            if a < b:
                difference = np.abs(faces[a] - faces[b]).mean(2)
                assert np.sort(difference.ravel())[-100:].mean() > 0.1, (a, b)


def test_a_smile_lifts_and_spreads_the_mouth_corners() -> None:
    calm, happy, sad = (show(person(), emotion).points for emotion in ("neutral", "happiness", "sadness"))
    assert happy[3:, 1].mean() < calm[3:, 1].mean() < sad[3:, 1].mean()
    assert np.ptp(happy[3:, 0]) > np.ptp(calm[3:, 0])


def test_an_open_jaw_lengthens_the_face() -> None:
    assert show(person(), "surprise").box[3] > show(person(), "neutral").box[3]


def test_light_from_the_left_brightens_the_left_cheek() -> None:
    who = dataclasses.replace(person(), beard=0.0)
    rest = act(who, "neutral", 0.0, ONES, ZEROS)
    left, right = (render_face(who, rest, light=Light(x=x, y=0, z=0.5), size=96).rgb for x in (-1.0, 1.0))
    row, columns = 56, (34, 62)
    assert left[row, columns[0]].mean() > right[row, columns[0]].mean() + 0.05
    assert right[row, columns[1]].mean() > left[row, columns[1]].mean() + 0.05


def test_dim_light_and_colour_of_light() -> None:
    who = person()
    rest = act(who, "neutral", 0.0, ONES, ZEROS)
    plain, dim = (render_face(who, rest, light=Light(level=level), size=96).rgb for level in (1.0, 0.5))
    assert dim.mean() == pytest.approx(plain.mean() / 2, rel=0.02)
    warm = render_face(who, rest, light=Light(tint=(1.0, 1.0, 0.5)), size=96).rgb
    assert warm[..., 2].mean() == pytest.approx(plain[..., 2].mean() / 2, rel=0.02)


def test_people_differ_and_are_made_of_their_seed() -> None:
    pictures = [show(person(seed), "neutral").rgb for seed in range(8)]
    assert np.array_equal(pictures[3], show(person(3), "neutral").rgb)
    for i in range(8):
        for j in range(i):
            assert np.abs(pictures[i] - pictures[j]).mean() > 0.01
    cuts = {draw_identity(np.random.default_rng(seed)).hair_cut for seed in range(200)}
    assert cuts == {"short", "fringe", "parted", "medium", "long", "receding", "bald"}


def test_prototypes_are_pairwise_distinct_and_neutral_is_rest() -> None:
    assert not prototype("neutral").any()
    for a in EMOTIONS:
        for b in EMOTIONS:
            if a != b:
                assert np.abs(prototype(a) - prototype(b)).sum() > 1, (a, b)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), short=st.booleans())
def test_a_course_rises_stays_and_falls(seed: int, short: bool) -> None:
    course = draw_course(np.random.default_rng(seed), short)
    times = np.linspace(0, 1, 200)
    level = np.array([course.at(float(t)) for t in times])
    assert (level >= 0).all()
    assert level.max() == pytest.approx(course.peak, rel=0.02)
    top = int(level.argmax())
    assert (np.diff(level[: top + 1]) >= -1e-9).all()
    assert np.abs(np.diff(level)).max() < 0.2  # no jumps
    expressive = (level > 0.15).mean()
    assert expressive < 0.4 if short else expressive > 0.55
