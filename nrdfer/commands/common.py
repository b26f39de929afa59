"""What every command does: errors as one message, progress as one bar."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from nrdfer.errors import NrdferError

if TYPE_CHECKING:
    from nrdfer.training.progress import Progress as TrainingProgress

F = TypeVar("F", bound=Callable[..., Any])


def readable(command: F) -> F:
    """Show this project's errors as one message, not as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except NrdferError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error

    return wrapped  # type: ignore[return-value]


def bar(label: str) -> tuple[Any, Callable[[int, int], None]]:
    """A progress bar and the callback that moves it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        disable=not sys.stderr.isatty(),
    )
    task = progress.add_task(label, total=None, rate="")
    started = time.monotonic()

    def step(done: int, total: int) -> None:
        rate = done / max(time.monotonic() - started, 1e-9)
        progress.update(task, completed=done, total=total, rate=f"{rate:.2f}/s")

    return progress, step


def training_bar(label: str) -> tuple[Any, Callable[[TrainingProgress], None]]:
    """As `bar`, for a training: epoch, clips per second, loss, and the time left at the recent rate."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from nrdfer.training.progress import in_words

    shown = Progress(
        TextColumn(label),
        TextColumn("{task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        disable=not sys.stderr.isatty(),
    )
    task = shown.add_task(label, total=None, epoch="", figures="")

    def step(progress: TrainingProgress) -> None:
        figures = [progress.rate()]
        if progress.loss is not None:
            figures.append(f"loss {progress.loss:.4f}")
        if progress.eta_seconds is not None:
            figures.append(f"{in_words(progress.eta_seconds)} left")
        epoch = f"epoch {progress.epoch}/{progress.epochs}"
        shown.update(task, completed=progress.step, total=progress.steps, epoch=epoch, figures=", ".join(figures))

    return shown, step
