"""What every command does: errors as one message, progress as one bar, settings as ``name=value``."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from nrdfer.brief_requests import brief_requests
from nrdfer.errors import NrdferError, ProfileError
from nrdfer.plain_text import one_line
from nrdfer.plain_yaml import settings_in
from nrdfer.redaction import scrub
from nrdfer.trouble import in_words

if TYPE_CHECKING:
    from nrdfer.training.progress import Progress as TrainingProgress

F = TypeVar("F", bound=Callable[..., Any])


def readable(command: F) -> F:
    """Show this project's errors, and the machine's troubles, as one message, not as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with brief_requests():  # a person waits: MLflow's own patience is minutes
                return command(*args, **kwargs)
        except NrdferError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            scrub(error)
            told = in_words(error)
            if told is None:
                raise
            typer.echo(f"error: {told}", err=True)
            raise typer.Exit(1) from error

    return wrapped  # type: ignore[return-value]


def fields_of(given: Sequence[str], option: str) -> dict[str, Any]:
    """Settings given as ``name=value`` or ``part.name=value``; values are read as YAML.

    Raises:
        ProfileError: an entry has no ``=``, its value is not YAML, or two entries contradict each other.
    """
    fields: dict[str, Any] = {}
    for entry in given:
        path, sign, text = entry.partition("=")
        *parts, name = path.split(".")
        if not sign or not all((*parts, name)):
            raise ProfileError(f"{option} {entry}: write NAME=VALUE, e.g. {option} lr=0.01")
        value = settings_in(text, f"{option} {one_line(entry[:80])}")
        place = fields
        for part in parts:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise ProfileError(f"{option} {entry}: {part} was given as a whole before")
        if name in place:
            raise ProfileError(f"{option} {entry}: {path} is given twice")
        place[name] = value
    return fields


def bar(label: str, unit: str = "") -> tuple[Any, Callable[[int, int], None]]:
    """A progress bar and the callback that moves it; what was done before its first call counts for no speed."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    progress = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),  # standard output is for results
        disable=not sys.stderr.isatty(),
    )
    task = progress.add_task(label, total=None, rate="")
    first: list[tuple[int, float]] = []

    def step(done: int, total: int) -> None:
        if not first:
            first.append((done, time.monotonic()))
        begun, since = first[0]
        speed = f"{(done - begun) / max(time.monotonic() - since, 1e-9):.2f} {unit}".rstrip() + "/s"
        progress.update(task, completed=done, total=total, rate=speed if done > begun else "")

    return progress, step


def training_bar(label: str) -> tuple[Any, Callable[[TrainingProgress], None], Callable[[int, int], None]]:
    """As `bar`, for a training: epoch, clips per second, loss, and the time left at the recent rate.

    The second callback moves it while clips are decoded into memory, before the first batch.
    """
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

    def decoded(done: int, total: int) -> None:
        shown.update(task, completed=done, total=total, epoch="decoding into memory")

    return shown, step, decoded
