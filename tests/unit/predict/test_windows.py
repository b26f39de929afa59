from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrdfer.predict.windows import Window, WindowSettings, nearest_windows, plan_windows


@settings(max_examples=150, deadline=None)
@given(
    gaps=st.lists(st.floats(0.001, 3.0), min_size=1, max_size=80),
    begin=st.floats(0, 100),
    window=st.floats(0.05, 10),
    share=st.floats(0.1, 1),
)
def test_windows_cover_every_frame_and_all_of_the_time(
    gaps: list[float], begin: float, window: float, share: float
) -> None:
    times = list(itertools.accumulate([begin, *gaps]))
    times, end = times[:-1], times[-1]
    windows = plan_windows(times, end, WindowSettings(window, window * share))
    assert windows[0].start == begin
    assert windows[-1].end == pytest.approx(end)
    assert {i for w in windows for i in w.frames} == set(range(len(times)))
    length = min(window, end - begin)
    for one, other in itertools.pairwise(windows):
        assert 0 < other.start - one.start <= window * share + 1e-9  # no gap, and none twice
    for w in windows:
        assert w.end - w.start == pytest.approx(length)
        assert times[w.last] < w.end  # on screen within the window
        assert (times[w.first + 1] if w.first + 1 < len(times) else end) > w.start


def test_windows_of_a_constant_rate_hold_equally_many_frames() -> None:
    windows = plan_windows([i / 25 for i in range(250)], 10.0, WindowSettings(3, 1))
    assert [w.start for w in windows] == pytest.approx(list(range(8)))
    assert {len(w.frames) for w in windows} == {75}
    assert (windows[-1].first, windows[-1].last) == (175, 249)


def test_the_last_window_ends_where_the_video_does() -> None:
    windows = plan_windows([i / 10 for i in range(35)], 3.5, WindowSettings(1, 1))
    assert [w.start for w in windows] == pytest.approx([0, 1, 2, 2.5])
    assert [w.end for w in windows] == pytest.approx([1, 2, 3, 3.5])


def test_a_video_shorter_than_a_window_is_one() -> None:
    assert plan_windows([0.5], 0.54, WindowSettings()) == [Window(0.5, 0.54, 0, 0)]


def test_a_moment_belongs_to_the_nearest_centre() -> None:
    windows = [Window(0, 2, 0, 1), Window(1, 3, 1, 2), Window(2, 4, 2, 3)]
    assert nearest_windows(windows, (0, 1.4, 1.5, 1.6, 2.5, 2.6, 9)) == [0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"window": 0}, "window must be a positive number"),
        ({"stride": float("nan")}, "stride must be a positive number"),
        ({"window": 1, "stride": 2}, "leave gaps"),
        ({"least_face": 1.1}, "share from 0 to 1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(values: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WindowSettings(**values)


@pytest.mark.parametrize(("times", "end"), [([], 1.0), ([0.0, 2.0, 1.0], 3.0), ([0.0, 1.0], 0.5)])
def test_times_that_describe_no_video_are_refused(times: list[float], end: float) -> None:
    with pytest.raises(ValueError, match="do not describe a video"):
        plan_windows(times, end, WindowSettings())
