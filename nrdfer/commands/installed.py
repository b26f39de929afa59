"""Facts of the installed distribution: its version, and the commands that its entry points name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Any

import typer

import nrdfer
from nrdfer.commands.common import readable
from nrdfer.core.errors import NrdferError
from nrdfer.core.project_folder import use_project_above
from nrdfer.corpora.registry import read_own_corpora

GROUP = "nrdfer.commands"


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"nrdfer {nrdfer.__version__}")
        raise typer.Exit


def with_version(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """NR-DFERNet, from raw video to registered model."""
    with contextlib.suppress(OSError):  # the working directory was removed: the commands say so
        before = use_project_above(Path.cwd())
        if before:
            read_own_corpora()
            context.call_on_close(lambda: _restore(before))


def _restore(before: Mapping[str, str | None]) -> None:
    """Set variables as they were: more may be called in this process."""
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def graph_commands() -> dict[str, Callable[..., Any]]:
    """The commands that need the graph, by name. One that cannot be loaded says so when it is called.

    So another package of the graph's name (``assets``, ``pipelines``) leaves all other commands usable.
    """
    try:
        entries = distribution("nrdfer").entry_points.select(group=GROUP)
    except PackageNotFoundError:  # copied, not installed
        return {}
    return {entry.name: _loaded(entry) for entry in entries}


def _loaded(entry: EntryPoint) -> Callable[..., Any]:
    try:
        command: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        return _refusal(entry.name, error)
    return command


def _refusal(name: str, error: Exception) -> Callable[..., Any]:
    @readable
    def refuse() -> None:
        raise NrdferError(
            f"nrdfer {name} cannot be loaded: {error}. It needs the packages 'pipelines' and 'assets' of this "
            "distribution; if another package has one of these names, install nrdfer in an environment of its own"
        ) from error

    refuse.__doc__ = "(Cannot be loaded here; says why.)"
    return refuse
