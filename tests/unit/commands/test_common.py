"""Bars show what they are told."""

from __future__ import annotations

import io

from rich.console import Console

from nrdfer.commands.common import training_bar
from nrdfer.training.progress import Progress


def shown(progress: Progress) -> str:
    bar, step, decoded = training_bar("fd1")
    decoded(3, 9)
    (task,) = bar.tasks
    assert (task.completed, task.total, task.fields["epoch"]) == (3, 9, "decoding into memory")
    step(progress)
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(bar.get_renderable())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_training_shows_epoch_rate_loss_and_time_left() -> None:
    line = shown(Progress(2, 30, 120, 900, 41.25, 425.0, 1.23456))
    for words in ("fd1", "epoch 2/30", "120/900", "41.2 clips/s, loss 1.2346, 7 min 5 s left"):
        assert words in line


def test_what_is_not_known_yet_is_left_out() -> None:
    line = shown(Progress(1, 30, 1, 900, 0.0, None))
    assert "0.0 clips/s" in line and "left" not in line and "loss" not in line
