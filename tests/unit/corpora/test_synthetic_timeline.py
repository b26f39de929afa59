from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.core.emotions import EMOTIONS
from nrdfer.corpora.synthetic.clips import AFEW_HEIGHT, AFEW_WIDTH, DFEW_SIDE, afew_frames, dfew_frames
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.timeline import N1_KINDS, NEUTRAL_BELOW, Timeline, draw_timeline


def a_timeline(seed: int, emotion: str = "anger", frames: int = 20, rate: float = 0.0, n2: bool = False) -> Timeline:
    rng = np.random.default_rng(seed)
    return draw_timeline(rng, draw_identity(rng), emotion, frames, n1_rate=rate, mostly_neutral=n2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    emotion=st.sampled_from(EMOTIONS),
    frames=st.integers(2, 60),
    rate=st.floats(0, 0.6),
    n2=st.booleans(),
)
def test_every_timeline_is_whole_and_never_all_noise(
    seed: int, emotion: str, frames: int, rate: float, n2: bool
) -> None:
    line = a_timeline(seed, emotion, frames, rate, n2)
    parts = (line.noise, line.intensity, line.actions, line.poses, line.shift, line.zoom)
    assert {len(part) for part in parts} == {frames}
    assert sum(kind in N1_KINDS for kind in line.noise) <= 0.6 * frames
    assert [kind for kind, first, end in line.runs() for _ in range(first, end)] == list(line.noise)
    for kind, intensity in zip(line.noise, line.intensity, strict=True):
        if kind == "n2_neutral":
            assert intensity < NEUTRAL_BELOW
    if emotion == "neutral":
        assert not line.intensity.any()
        assert "n2_neutral" not in line.noise


def test_without_rates_nothing_is_planted() -> None:
    assert {kind for seed in range(50) for kind in a_timeline(seed).noise} == {"none"}


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_the_share_of_n1_frames_is_the_rate(rate: float) -> None:
    frames = [kind in N1_KINDS for seed in range(400) for kind in a_timeline(seed, rate=rate).noise]
    assert np.mean(frames) == pytest.approx(rate, rel=0.12)


def test_all_kinds_of_n1_are_planted() -> None:
    kinds = {kind for seed in range(100) for kind in a_timeline(seed, rate=0.2).noise}
    assert kinds == {"none", *N1_KINDS}


def test_n2_clips_are_mostly_neutral_and_keep_their_expressive_moment() -> None:
    for seed in range(100):
        line = a_timeline(seed, "fear", 24, rate=0.3, n2=True)
        shown = [now for kind, now in zip(line.noise, line.intensity, strict=True) if kind == "none"]
        assert max(shown) > 0.7
        assert len(shown) < 0.45 * 24


def test_motion_is_slow() -> None:
    for seed in range(50):
        line = a_timeline(seed, frames=25)
        yaw = np.array([pose.yaw for pose in line.poses])
        assert np.abs(np.diff(yaw)).max() < 0.12
        assert np.abs(np.diff(line.shift, axis=0)).max() < 0.15


def test_n1_frames_look_different_and_the_truth_says_whose_face_it_is() -> None:
    rng = np.random.default_rng(1)
    who = draw_identity(rng)
    seen: set[str] = set()
    for seed in range(40):
        line = draw_timeline(np.random.default_rng(seed), who, "happiness", 10, n1_rate=0.4, mostly_neutral=False)
        if seen >= {*N1_KINDS}:
            break
        frames = list(dfew_frames(np.random.default_rng(seed), np.random.default_rng(0), who, line))
        clean = [frame.rgb.astype(float) for frame, kind in zip(frames, line.noise, strict=True) if kind == "none"]
        spread = max(np.abs(a - clean[0]).mean() for a in clean)
        for frame, kind in zip(frames, line.noise, strict=True):
            seen.add(kind)
            assert (frame.face is None) == (kind == "n1_noface")
            assert frame.rgb.shape == (DFEW_SIDE, DFEW_SIDE, 3)
            if kind in N1_KINDS:
                assert np.abs(frame.rgb - clean[0]).mean() > 0.8 * spread
    assert seen >= {*N1_KINDS}


def test_dfew_faces_fill_about_three_quarters_of_the_crop() -> None:
    heights, middles = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        who = draw_identity(rng)
        line = draw_timeline(rng, who, "neutral", 2, n1_rate=0.0, mostly_neutral=False)
        face = next(dfew_frames(rng, rng, who, line)).face
        assert face is not None
        heights.append((face.box[3] - face.box[1]) / DFEW_SIDE)
        middles.append((face.box[:2] + face.box[2:]) / 2 / DFEW_SIDE)
    assert np.mean(heights) == pytest.approx(0.75, abs=0.05)
    assert 0.6 < min(heights) < max(heights) < 0.92
    assert np.abs(np.array(middles) - 0.5).max() < 0.14


@pytest.mark.parametrize("second", [False, True])
@pytest.mark.parametrize("dark", [False, True])
def test_afew_scenes(dark: bool, second: bool) -> None:
    levels, heights = [], []
    for seed in range(4):
        rng = np.random.default_rng([seed, 9])
        who = draw_identity(rng)
        line = draw_timeline(rng, who, "sadness", 2, n1_rate=0.0, mostly_neutral=False)
        frame = list(afew_frames(rng, rng, who, line, dark=dark, second_person=second))[-1]
        assert frame.rgb.shape == (AFEW_HEIGHT, AFEW_WIDTH, 3)
        assert frame.face is not None
        heights.append(frame.face.box[3] - frame.face.box[1])
        levels.append(frame.rgb.mean())
        x, y = frame.face.points.T
        assert ((x > 0) & (x < AFEW_WIDTH) & (y > 0) & (y < AFEW_HEIGHT)).all()
    assert 125 < min(heights) <= max(heights) < 350
    assert max(levels) < 50 if dark else min(levels) > 40


def test_the_second_person_changes_the_picture_but_not_the_target() -> None:
    def scene(second: bool) -> tuple[float, int]:
        from nrdfer.corpora.synthetic.clips import Actor, _bystander
        from nrdfer.corpora.synthetic.face import Light

        rng = np.random.default_rng(3)
        who = draw_identity(rng)
        line = draw_timeline(rng, who, "fear", 3, n1_rate=0.0, mostly_neutral=False)
        actor = Actor(who, line, Light(), (430.0, 260.0), 260.0, 1.0, 96)
        other = _bystander(rng, actor, 1.0)
        picture = np.zeros((AFEW_HEIGHT, AFEW_WIDTH, 3), np.float32)
        if second:
            other.place(picture, 0)
        face = actor.place(picture, 0)
        return float(face.points.sum()), int(picture.any(2).sum())

    (alone, fewer), (with_other, more) = scene(False), scene(True)
    assert alone == with_other
    assert more > fewer + 2000
