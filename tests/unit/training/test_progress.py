"""Rate and time left follow what happened of late."""

from __future__ import annotations

import pytest

from nrdfer.training.progress import Meter, Progress, at_most_every, in_words


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_there_is_no_rate_before_the_second_tick() -> None:
    meter = Meter(steps=10, clock=Clock())
    assert (meter.clips_per_second, meter.eta_seconds) == (0.0, None)
    meter.tick(0, 0)
    assert (meter.clips_per_second, meter.eta_seconds) == (0.0, None)


def test_the_rate_is_of_the_window_only() -> None:
    clock = Clock()
    meter = Meter(steps=100, window=10, clock=clock)
    for step in range(21):  # 4 clips a second
        clock.now = step
        meter.tick(step, 4 * step)
    assert (meter.clips_per_second, meter.eta_seconds) == (4.0, 80.0)
    for step in range(21, 26):  # then 4 clips in 5 seconds
        clock.now += 5
        meter.tick(step, 4 * step)
    assert (meter.clips_per_second, meter.eta_seconds) == (0.8, 375.0)


def test_batches_slower_than_the_window_have_a_rate() -> None:
    clock = Clock()
    meter = Meter(steps=5, window=10, clock=clock)
    for step in range(4):
        clock.now = 40.0 * step
        meter.tick(step, 8 * step)
    assert (meter.clips_per_second, meter.eta_seconds) == (0.2, 80.0)


def test_a_continued_training_counts_from_where_it_continued() -> None:
    clock = Clock()
    meter = Meter(steps=1000, clock=clock)
    meter.tick(900, 3600)
    clock.now = 2.0
    meter.tick(901, 3604)
    assert (meter.clips_per_second, meter.eta_seconds) == (2.0, 198.0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0 s"), (42.4, "42 s"), (59.7, "1 min 0 s"), (425, "7 min 5 s"), (11_520, "3 h 12 min")]
)
def test_durations_read_well(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_one_line_tells_what_is_known() -> None:
    known = Progress(2, 30, 120, 900, 41.25, 425.0, 1.23456, 0.083)
    assert known.line() == ("epoch 2/30, batch 120/900, 41.2 clips/s, loss 1.2346, waiting for data 8%, 7 min 5 s left")
    assert Progress(1, 30, 1, 900, 0.0, None).line() == "epoch 1/30, batch 1/900"


def test_lines_keep_their_distance_and_the_last_is_always_said() -> None:
    clock, said = Clock(), list[str]()
    report = at_most_every(10, said.append, clock)
    for step in range(1, 26):
        report(Progress(1, 1, step, 25, 1.0, None))
        clock.now += 1
    assert [line.split(", ")[1] for line in said] == [f"batch {step}/25" for step in (1, 11, 21, 25)]
