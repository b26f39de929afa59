"""Batches are thinned by the log's own times; epochs and samples of the system are not."""

from __future__ import annotations

from typing import Any

from nrdfer.tracking.metric_points import Curves, Point


def batch(step: int, time: float, **figures: Any) -> dict[str, Any]:
    return {"kind": "batch", "time": time, "step": step, "epoch": 1, "loss": 0.5, "lr": 0.1, **figures}


def test_a_batch_has_curves_of_its_own_names() -> None:
    line = batch(3, 10.0, clips_per_second=40, waiting_share=None)
    assert Curves().points(line) == [
        Point("update_loss", 0.5, 10.0, 3),
        Point("update_lr", 0.1, 10.0, 3),
        Point("update_clips_per_second", 40.0, 10.0, 3),
    ]


def test_an_epoch_has_the_names_of_its_report_and_counts_epochs() -> None:
    line = {"kind": "epoch", "time": 5.0, "step": 80, "epoch": 2, "lr": 0.1, "test_war": 0.5, "good": True, "note": "x"}
    assert Curves().points(line) == [Point("update_lr_by_epoch", 0.1, 5.0, 2), Point("test_war", 0.5, 5.0, 2)]


def test_system_figures_stand_where_mlflow_shows_them() -> None:
    line = {"kind": "system", "time": 5.0, "step": 4, "cpu_utilization_percentage": 80.0}
    assert Curves().points(line) == [Point("system/cpu_utilization_percentage", 80.0, 5.0, 4)]


def test_other_lines_have_no_points() -> None:
    assert Curves().points({"kind": "stop", "time": 5.0, "reason": "finished"}) == []
    assert Curves().points({"kind": "start", "time": 5.0, "step": 4}) == []


def test_at_most_one_batch_a_second_is_shown() -> None:
    curves = Curves(every=1.0)
    shown = [step for step in range(1, 41) if curves.points(batch(step, 100 + step / 4))]
    assert shown == [1, 5, 9, 13, 17, 21, 25, 29, 33, 37]


def test_a_clock_that_was_set_back_leaves_no_gap() -> None:
    curves = Curves(every=1.0)
    assert [bool(curves.points(batch(step, time))) for step, time in ((1, 100.0), (2, 50.0), (3, 50.5), (4, 51.0))] == [
        True,
        True,
        False,
        True,
    ]


def test_a_step_logged_again_gives_no_second_point() -> None:
    curves = Curves(every=1.0)
    assert [bool(curves.points(batch(step, time))) for step, time in ((1, 1.0), (2, 2.0), (1, 60.0), (2, 61.0))] == [
        True,
        True,
        False,
        False,
    ]
    # the repeated batch that is not shown does not take the next one's turn
    assert curves.points(batch(3, 61.1))
