"""Shared parts of the commands: errors as one message, progress as one bar, settings as ``name=value``."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from nrdfer.core.errors import NrdferError, ProfileError, WeightsError
from nrdfer.core.machine_errors import in_words
from nrdfer.core.plain_text import name_text, one_line
from nrdfer.core.plain_yaml import settings_in
from nrdfer.core.redaction import scrub
from nrdfer.tracking.timeouts import brief_requests

if TYPE_CHECKING:
    from nrdfer.training.progress import Progress as TrainingProgress

INTERRUPTED = 130  # what a shell shows of a process that Ctrl-C ended
_MOST = 300  # characters of a library's message
F = TypeVar("F", bound=Callable[..., Any])


def readable(command: F) -> F:
    """End with one message and a non-zero exit status, never with a traceback.

    ``NRDFER_TRACEBACK=1`` shows it all the same, for those who look for a defect.
    """
    return _readable(command, brief_requests)  # a person waits: MLflow's own patience is minutes


def readable_run(command: F) -> F:
    """As `readable`, for commands that run for long: they and their children have MLflow's own patience."""
    return _readable(command, contextlib.nullcontext)


def _readable(command: F, surroundings: Callable[[], contextlib.AbstractContextManager[None]]) -> F:
    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):  # names of files need not be UTF-8, and a terminal may be ASCII
                stream.reconfigure(errors="backslashreplace")
        try:
            with surroundings():
                return command(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
            raise  # the command line's own ways to end
        except KeyboardInterrupt as stopped:
            typer.echo("stopped; finished results are complete", err=True)
            raise typer.Exit(INTERRUPTED) from stopped
        except Exception as error:
            scrub(error)
            if os.environ.get("NRDFER_TRACEBACK"):
                raise
            typer.echo(f"error: {words_of(error)}", err=True)
            raise typer.Exit(1) from error

    return wrapped  # type: ignore[return-value]


def words_of(error: Exception) -> str:
    """An error's message for the user; for an unforeseen error also its origin and how to see more."""
    if isinstance(error, NrdferError):
        return "\n".join(one_line(line) for line in str(error).splitlines())
    known = in_words(error)
    if known is not None:
        return one_line(known)
    if isinstance(error, OSError) and error.strerror:
        names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
        return one_line(": ".join((*map(name_text, names), error.strerror)))
    text = one_line(str(error).strip().partition("\n")[0])[:_MOST]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{type(error).__name__}{f': {text}' if text else ''} ({Path(last.filename).name}:{last.lineno}). This "
        "error was not expected here; NRDFER_TRACEBACK=1 before the same command shows where it happened"
    )


def listed_videos(videos: Sequence[Path]) -> None:
    """Refuse at once, before anything slow is loaded, videos that are not there and folders without one."""
    from nrdfer.video.discovery import list_sources

    list_sources(videos)


def refuse_no_model(address: str) -> None:
    """Refuse at once a missing folder, and a version of a model that this project's own database does not have.

    A model on the hub is looked up later.

    Raises:
        WeightsError: there is no such folder or model.
    """
    from nrdfer.weights.hub_address import SCHEME
    from nrdfer.weights.sample_network import ADDRESS

    if address == ADDRESS or address.startswith(SCHEME):
        return
    if address.startswith("models:"):
        from nrdfer.registry.local_lookup import refuse_absent

        refuse_absent(address)
    elif not Path(address).is_dir():
        raise WeightsError(f"{name_text(address)} is not a trained network: there is no such folder")


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
    """A progress bar and its update callback; work done before its first call does not count towards the speed."""
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

    display = Progress(
        TextColumn(label),
        TextColumn("{task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        disable=not sys.stderr.isatty(),
    )
    task = display.add_task(label, total=None, epoch="", figures="")

    def step(progress: TrainingProgress) -> None:
        figures = [progress.rate()]
        if progress.loss is not None:
            figures.append(f"loss {progress.loss:.4f}")
        if progress.eta_seconds is not None:
            figures.append(f"{in_words(progress.eta_seconds)} left")
        epoch = f"epoch {progress.epoch}/{progress.epochs}"
        display.update(task, completed=progress.step, total=progress.steps, epoch=epoch, figures=", ".join(figures))

    def decoded(done: int, total: int) -> None:
        display.update(task, completed=done, total=total, epoch="decoding into memory")

    return display, step, decoded
