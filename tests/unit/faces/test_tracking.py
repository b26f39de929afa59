"""Who is followed: the policy on made-up detections."""

from __future__ import annotations

import numpy as np
import pytest

from devtools.targets import choose_target
from nrdfer.faces.alignment import TEMPLATE_112
from nrdfer.faces.detector import Face
from nrdfer.faces.tracking import MAX_GAP, MIN_TRACK, least_length, link

WIDTH, HEIGHT = 640, 360


def face(cx: float, cy: float, size: float = 60, *, sound: bool = True) -> Face:
    box = np.array([cx - size / 2, cy - size / 2, cx + size / 2, cy + size / 2], np.float32)
    points = (TEMPLATE_112 / 112 - 0.5) * size + [cx, cy]
    if not sound:
        points = points[[1, 0, 2, 4, 3]]
    return Face(box, 0.9, points.astype(np.float32))


def test_two_people_who_pass_each_other_are_not_mixed() -> None:
    left = [face(100 + 8 * t, 150, 90) for t in range(40)]
    right = [face(540 - 8 * t, 230, 50) for t in range(40)]
    # the order within a frame must not matter
    frames = [[a, b] if t % 2 else [b, a] for t, (a, b) in enumerate(zip(left, right, strict=True))]
    assert choose_target(frames, WIDTH, HEIGHT) == left


def test_longer_presence_wins_over_a_brief_large_face() -> None:
    steady = [face(320, 180, 60) for _ in range(30)]
    frames = [[f] for f in steady]
    frames[10].append(face(120, 150, 150))
    assert choose_target(frames, WIDTH, HEIGHT) == steady


def test_of_equal_presence_the_larger_then_the_more_central_wins() -> None:
    small, large = face(250, 180, 50), face(450, 180, 90)
    assert choose_target([[small, large]] * 5, WIDTH, HEIGHT) == [large] * 5
    corner, middle = face(60, 60), face(330, 170)
    assert choose_target([[corner, middle]] * 5, WIDTH, HEIGHT) == [middle] * 5


def test_gaps_are_bridged_and_left_empty() -> None:
    frames = [[face(300, 180)]] * 5 + [[]] * MAX_GAP + [[face(310, 185)]] * 5
    chosen = choose_target(frames, WIDTH, HEIGHT)
    assert [c is not None for c in chosen] == [True] * 5 + [False] * MAX_GAP + [True] * 5
    longer = [[face(300, 180)]] * 5 + [[]] * (MAX_GAP + 1) + [[face(310, 185)]] * 4
    assert sum(c is not None for c in choose_target(longer, WIDTH, HEIGHT)) == 5


def test_another_person_never_fills_a_gap() -> None:
    target, other = face(320, 180, 100), face(80, 100, 60)
    frames = [[target, other]] * 10 + [[other]] * 5 + [[target, other]] * 10
    assert choose_target(frames, WIDTH, HEIGHT) == [target] * 10 + [None] * 5 + [target] * 10


def test_fast_motion_without_overlap_is_one_track() -> None:
    moving = [[face(100 + 40 * t, 180)] for t in range(10)]
    assert len(link(moving)) == 1
    jumping = [[face(100, 180)], [face(400, 180)], [face(100, 180)]]
    assert len(link(jumping)) == 2


def test_a_cut_ends_a_track_and_a_returning_shot_continues_it() -> None:
    person, stranger = face(320, 180), face(325, 182, 62)
    frames = [[person]] * 6 + [[stranger]] * 4 + [[person]] * 6
    shots = [0] * 6 + [1] * 4 + [0] * 6
    assert choose_target(frames, WIDTH, HEIGHT, shots=shots) == [person] * 6 + [None] * 4 + [person] * 6
    assert None not in choose_target(frames, WIDTH, HEIGHT)
    with pytest.raises(ValueError, match="shot numbers"):
        choose_target(frames, WIDTH, HEIGHT, shots=[0])


def test_backs_of_heads_do_not_outweigh_a_face() -> None:
    back, front = face(320, 180, 120, sound=False), face(500, 100, 50)
    assert choose_target([[back, front]] * 4, WIDTH, HEIGHT) == [front] * 4
    assert choose_target([[back]] * 4, WIDTH, HEIGHT) == [None] * 4
    # nor does one usable frame make it a face
    assert choose_target([[front]] + [[back]] * 30, WIDTH, HEIGHT, min_track=2) == [None] * 31


def test_broken_points_and_empty_clips() -> None:
    broken = Face(np.array([10, 10, 60, 60], np.float32), 0.9, np.full((5, 2), np.nan, np.float32))
    assert choose_target([[broken], []], WIDTH, HEIGHT) == [None, None]
    assert choose_target([], WIDTH, HEIGHT) == []
    assert choose_target([[], []], WIDTH, HEIGHT) == [None, None]


def test_each_policy_has_its_own_target() -> None:
    longest, largest, central = face(120, 80, 40), face(520, 250, 140), face(320, 180, 30)
    frames = [[longest] for _ in range(40)]
    for t in range(10):
        frames[t].append(largest)
        frames[t + 12].append(central)

    def chosen(policy: str) -> set[int]:
        return {id(f) for f in choose_target(frames, WIDTH, HEIGHT, policy=policy) if f is not None}

    assert chosen("longest") == {id(longest)}
    assert chosen("largest") == {id(largest)}
    assert chosen("central") == {id(central)}
    # 10 frames of a face 3.5 times as large weigh about as much as 40, and it stands further out
    assert chosen("presence") == {id(longest)}
    with pytest.raises(ValueError, match="presence, longest, largest, central"):
        choose_target(frames, WIDTH, HEIGHT, policy="first")


@pytest.mark.parametrize("policy", ["presence", "longest", "largest", "central"])
def test_a_brief_detection_is_no_target_whatever_the_policy(policy: str) -> None:
    brief, steady = face(320, 180, 200), face(80, 80, 30)
    frames = [[steady] for _ in range(30)]
    for t in range(MIN_TRACK - 1):
        frames[t].append(brief)
    assert choose_target(frames, WIDTH, HEIGHT, policy=policy) == [steady] * 30
    alone = [[brief]] * (MIN_TRACK - 1) + [[]] * 30
    assert choose_target(alone, WIDTH, HEIGHT, policy=policy) == [None] * (MIN_TRACK + 29)
    assert choose_target(alone, WIDTH, HEIGHT, policy=policy, min_track=1)[0] is brief


@pytest.mark.parametrize(("n_frames", "least"), [(1, 1), (2, 1), (7, 1), (8, 2), (16, 4), (20, 5), (400, 5)])
def test_short_clips_ask_for_shorter_tracks(n_frames: int, least: int) -> None:
    assert least_length(MIN_TRACK, n_frames) == least
