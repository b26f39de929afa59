"""How well a person was followed: figures by hand, and rendered and real people who change or stay."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from nrdfer.core.emotions import EMOTIONS
from nrdfer.core.records import FrameRecord
from nrdfer.corpora.synthetic.clips import Frame, afew_frames
from nrdfer.corpora.synthetic.identity import draw_identity
from nrdfer.corpora.synthetic.timeline import Noise, draw_timeline
from nrdfer.faces.alignment import fit_template, warp
from nrdfer.faces.stats import ClipStats, StatsCollector, correlation, jitter, longest_gap, luma_of
from nrdfer.preprocessing.videos import AlignSettings, CropOptions, preprocess_videos

pytestmark = pytest.mark.slow

EYES = 40.0  # distance of the made points' eyes
POINTS = np.array([[0.0, 0.0], [EYES, 0.0], [20.0, 25.0], [5.0, 45.0], [35.0, 45.0]])


def record(index: int, points: NDArray[np.float64], score: float = 0.9, side: float = 10.0) -> FrameRecord:
    listed = tuple((float(x), float(y)) for x, y in points)
    return FrameRecord(index, has_face=True, score=score, box=(0.0, 0.0, side, side), points=listed)


def moved(shifts: list[float]) -> list[FrameRecord]:
    """The face shifted along x, frame by frame."""
    return [record(i, POINTS + np.array([shift, 0.0])) for i, shift in enumerate(shifts)]


def test_steady_motion_has_no_jitter() -> None:
    assert jitter(moved([0, 7, 14, 21, 28])) == 0
    still = [record(i, POINTS) for i in range(3)]
    assert jitter(still) == 0


def test_a_known_tremble_gives_the_known_figure() -> None:
    # every point swings by 1 pixel to either side: |-1 - 2 * 1 - 1| = 4 pixels, of 40 between the eyes
    assert jitter(moved([1, -1, 1, -1, 1])) == 10.0
    # one of five points alone, by the same amount: a fifth
    one = [np.array(POINTS) for _ in range(3)]
    for sign, points in zip((1, -1, 1), one, strict=True):
        points[2, 1] += sign
    assert jitter([record(i, points) for i, points in enumerate(one)]) == 2.0
    # the same tremble of a face twice as large is half as much
    assert jitter([record(i, 2 * POINTS + np.array([sign, 0])) for i, sign in enumerate((1, -1, 1))]) == 5.0


def test_a_single_jolt_is_outvoted_and_gaps_are_not_bridged() -> None:
    assert jitter(moved([0, 0, 0, 0, 0, 0, 30, 30, 30, 30, 30, 30])) == 0  # 2 of 10 triples see it
    gap = FrameRecord(2, has_face=False)
    parts = moved([0, 50, 0, 50, 0])
    assert jitter([*parts[:2], gap, *parts[3:]]) is None
    assert jitter(parts[:2]) is None


def test_eyes_at_one_place_measure_nothing() -> None:
    assert jitter([record(i, np.zeros((5, 2))) for i in range(3)]) is None


def test_correlation_by_hand() -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert correlation(a, 5 * a + 3) == pytest.approx(1)  # brightness and contrast do not matter
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, np.array([[1.0, 1.0], [2.0, 2.0]])) == pytest.approx(2 / 5**0.5)
    assert correlation(a, np.ones((2, 2))) == 1  # a flat picture tells nothing


def test_gaps_and_luma_by_hand() -> None:
    assert longest_gap([True, False, False, True, False]) == 2
    assert longest_gap([False] * 4) == 4
    assert longest_gap([]) == 0
    assert luma_of(np.full((2, 3, 3), (255, 0, 0), np.uint8)) == pytest.approx(0.299 * 255)
    assert luma_of(np.full((5, 2, 3, 3), (0, 255, 0), np.uint8)) == pytest.approx(0.587 * 255)


def test_figures_of_a_clip() -> None:
    records = [
        record(0, POINTS, score=0.5, side=10),
        FrameRecord(1, has_face=False, score=0.1, box=(0.0, 0.0, 900.0, 900.0)),  # refused: counts for nothing
        FrameRecord(2, has_face=False),
        record(3, POINTS, score=0.7, side=20),
        record(4, POINTS, score=0.9, side=40),
    ]
    collector = StatsCollector(records)
    for level in (0, 50, 100, 150, 200):
        collector.add(np.full((16, 16, 3), level, np.uint8))
    assert collector.result() == ClipStats(
        switches=0, jitter=None, score=0.7, face_size=20.0, longest_gap=2, luma=100.0
    )


def test_a_cut_is_no_switch_of_identity() -> None:
    records = [record(i, POINTS) for i in range(6)]
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)

    def switches_in(shots: tuple[int, ...]) -> int:
        collector = StatsCollector(records, shots)
        for crop in (one, one, other, other, one, one):
            collector.add(crop)
        return collector.result().switches

    assert switches_in(()) == switches_in((0,) * 6) == 2
    assert switches_in((0, 0, 1, 1, 0, 0)) == 0
    assert switches_in((0, 0, 1, 1, 1, 1)) == 1


def test_a_clip_without_faces_has_nothing_to_measure() -> None:
    collector = StatsCollector([FrameRecord(i, has_face=False) for i in range(3)])
    rng = np.random.default_rng(0)
    for _ in range(3):
        collector.add(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    found = collector.result()
    assert (found.switches, found.jitter, found.score, found.face_size, found.longest_gap) == (0, None, None, None, 3)
    assert StatsCollector([]).result() == ClipStats()


def rendered(seed: int, noise: tuple[Noise, ...], *, dark: bool) -> list[Frame]:
    rng = np.random.default_rng([seed, 7])
    who = draw_identity(rng)
    line = draw_timeline(rng, who, EMOTIONS[seed % 7], len(noise), n1_rate=0.0, mostly_neutral=False)
    line = dataclasses.replace(line, noise=noise)
    session = np.random.default_rng([seed, 9])
    return list(afew_frames(rng, session, who, line, dark=dark, second_person=False))


def switches(frames: list[Frame]) -> int:
    crops, records = [], []
    for index, frame in enumerate(frames):
        if frame.face is None:
            records.append(FrameRecord(index, has_face=False))
            crops.append(frame.rgb[:112, :112])
            continue
        matrix, _ = fit_template(frame.face.points)
        crops.append(warp(frame.rgb, matrix, 112))
        records.append(record(index, frame.face.points.astype(np.float64)))
    collector = StatsCollector(records)
    for crop in crops:
        collector.add(crop)
    return collector.result().switches


@pytest.mark.parametrize("dark", [False, True])
def test_a_switch_is_counted_between_rendered_people_and_none_within_one(dark: bool) -> None:
    noise: tuple[Noise, ...] = ("none",) * 12 + ("n1_person",) * 12
    for seed in range(4):
        frames = rendered(seed, noise, dark=dark)
        assert switches(frames) == 1, seed
        assert switches(frames[:12]) == switches(frames[12:]) == 0, seed


def test_a_person_who_comes_back_after_a_gap_is_the_same_and_another_is_not() -> None:
    there: tuple[Noise, ...] = ("none",) * 8
    gone: tuple[Noise, ...] = ("n1_noface",) * 2
    assert switches(rendered(1, (*there, *gone, *there), dark=False)) == 0
    assert switches(rendered(1, (*there, *gone, *("n1_person",) * 8), dark=False)) == 1


@pytest.mark.parametrize("name", ["pyfeat_single_face.mp4", "pyfeat_noface_face.mov"])
def test_a_real_person_is_never_taken_for_another(shared_dir: Path, tmp_path: Path, name: str) -> None:
    weights = shared_dir / "weights" / "retinaface_mobilenet0.25.pth"
    (summary,) = preprocess_videos([shared_dir / "clips" / name], CropOptions(weights, AlignSettings()), tmp_path)
    assert (summary.frames_with_face, summary.stats.switches) == (72, 0)
    assert summary.stats.jitter is not None
    assert 0 < summary.stats.jitter < 5
