from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nrdfer.config.noise import ARMS, N1, N2, NoiseSettings
from nrdfer.config.profile import Profile
from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.errors import ProfileError
from nrdfer.noise.corpus import (
    BACKBONE,
    CLEAN,
    EXTRA,
    LEARNT,
    PLANTED_KINDS,
    TRAINING,
    NoisyClip,
    arm_clips,
    plan,
    plant_order,
    read_truth,
    render_clips,
    timeline_of,
)
from nrdfer.shards.reader import ShardReader
from nrdfer.shards.verify import verify

pytestmark = pytest.mark.slow

SETTINGS = NoiseSettings()
TINY = Profile.read({"name": "own", "description": "", "noise": {"preset": "tiny"}}, "profile own").noise


def n1(noise: tuple[str, ...]) -> set[int]:
    return {i for i, kind in enumerate(noise) if kind in PLANTED_KINDS}


def test_every_test_clip_is_there_in_every_condition_and_people_are_not_shared() -> None:
    clips = plan(SETTINGS)
    people = {kind: {clip.person for clip in clips if clip.kind == kind} for kind in (*LEARNT, N1, N2)}
    tested = [clip for clip in clips if clip.kind not in LEARNT]
    assert len(tested) == 40 * 7 * 8 and people[N1] == people[N2]
    assert people[TRAINING] == people[CLEAN] >= people[EXTRA] and len(people[TRAINING]) == 60
    assert not people[TRAINING] & people[N1] and not people[BACKBONE] & (people[TRAINING] | people[N1])
    assert len({clip.clip_id for clip in clips}) == len(clips)


def test_arms_have_as_many_clips_and_differ_in_noise_and_in_neutral_ones() -> None:
    kinds = {clip.clip_id: clip for clip in plan(SETTINGS)}
    arms = {arm: [kinds[clip] for clip in arm_clips(arm, SETTINGS)] for arm in ARMS}
    assert {len(clips) for clips in arms.values()} == {420}
    assert {clip.kind for clip in arms["a"]} == {TRAINING} and {clip.kind for clip in arms["b"]} == {CLEAN}
    counts = [sum(clip.emotion == emotion for clip in arms["c"]) for emotion in EMOTIONS]
    neutral = counts.pop(EMOTIONS.index("neutral"))
    assert neutral / 420 == pytest.approx(0.23, abs=0.002) and max(counts) - min(counts) <= 1
    noisy = [any(kind != "none" for kind in timeline_of(clip, SETTINGS).noise) for clip in arms["b"][:100]]
    assert not any(noisy)


def test_a_second_take_is_another_clip_of_the_same_person() -> None:
    first, second = (timeline_of(NoisyClip(3, "neutral", kind, 0.0), SETTINGS) for kind in (TRAINING, EXTRA))
    assert len(first.poses) != len(second.poses) or first.poses != second.poses


@pytest.mark.parametrize("person", range(60, 66))
def test_n1_has_exactly_its_share_and_grows_by_adding_frames(person: int) -> None:
    before: set[int] = set()
    for level in SETTINGS.n1_levels:
        line = timeline_of(NoisyClip(person, "anger", N1, level), SETTINGS)
        planted = n1(line.noise)
        assert len(planted) == round(level * len(line.noise))
        assert before <= planted
        before = planted


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_n2_has_about_its_share_and_neutral_clips_none(emotion: str) -> None:
    shares = {}
    for level in SETTINGS.n2_levels:
        lines = [timeline_of(NoisyClip(person, emotion, N2, level), SETTINGS) for person in range(60, 80)]
        shares[level] = np.mean([np.mean([kind == "n2_neutral" for kind in line.noise]) for line in lines])
        assert not any(n1(line.noise) for line in lines)
    for level, share in shares.items():
        assert share == pytest.approx(0.0 if emotion == "neutral" else level, abs=0.03)


def test_only_the_noise_differs_between_levels() -> None:
    clean, noisy = (timeline_of(NoisyClip(61, "fear", N1, level), SETTINGS) for level in (0.0, 0.6))
    assert len(clean.noise) == len(noisy.noise)
    for one, other in zip(clean.actions, noisy.actions, strict=True):
        np.testing.assert_array_equal(one, other)
    assert clean.poses == noisy.poses
    short = timeline_of(NoisyClip(61, "fear", N2, 0.6), SETTINGS)
    assert short.poses == clean.poses  # the same person moves the same way, and shows less
    assert short.intensity.max() == pytest.approx(clean.intensity.max(), rel=0.05)


def test_planting_covers_a_clip_once_in_short_runs_of_one_kind() -> None:
    order = plant_order(np.random.default_rng(0), 24)
    assert sorted(index for index, _ in order) == list(range(24))
    assert {kind for _, kind in order} <= set(PLANTED_KINDS)
    kinds = [kind for seed in range(100) for _, kind in plant_order(np.random.default_rng(seed), 24)]
    assert kinds.count("n1_person_neutral") == pytest.approx(kinds.count("n1_person_acting"), rel=0.25)


def test_clips_are_the_same_whoever_renders_them_and_keep_their_truth_out_of_the_shards(tmp_path: Path) -> None:
    made = []
    for name, workers in (("one", 1), ("two", 2)):
        work, out = tmp_path / name / "work", tmp_path / name / "out"
        work.mkdir(parents=True)
        out.mkdir()
        render_clips(TINY, work, out, workers=workers)
        made.append(out)
    for path in made[0].iterdir():
        assert path.read_bytes() == (made[1] / path.name).read_bytes()
    assert verify(made[0]) == []
    truth = read_truth(made[0])
    with ShardReader(made[0]) as reader:
        assert sorted(reader.clip_ids) == sorted(row["clip_id"] for row in truth)
        for row in truth:
            record = reader.record(row["clip_id"])
            assert record.emotion == row["emotion"] and record.n_frames == len(row["noise"])
            assert "n1_" not in str(record.to_dict()) and "n2_" not in str(record.to_dict())
        assert reader.frames(truth[0]["clip_id"]).shape[1:] == (32, 32, 3)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"preset": "huge"}, "no preset 'huge'"),
        ({"n1_levels": [0.1, 0.2]}, "must rise from 0"),
        ({"n1_levels": [0, 0.9]}, "at most 0.6"),
        ({"seeds": 1}, "seeds must be at least 2"),
        ({"neutral_share": 0.5}, "neutral_share must be in 1/7 to 0.25"),
        ({"contrasts": ["premise", "war"]}, "contrasts must be some of premise"),
        ({"contrasts": []}, "contrasts must be some of"),
        ({"margin": 0}, "must be positive"),
        ({"stage": {"width": 0}}, "width must be at least 1"),
        ({"people": 3}, "unknown setting people"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        Profile.read({"name": "own", "description": "", "noise": values}, "profile own")
