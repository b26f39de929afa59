"""``nrdfer run``: any job of the graph, from any shell, cron or scheduler; nothing needs to be activated."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nrdfer.commands.common import readable_run
from nrdfer.core.errors import NrdferError, ProfileError
from nrdfer.core.plain_text import name_text, one_line

if TYPE_CHECKING:
    from pipelines.job_execution import Outcome

MAIN = "full_reproduction"
Only = Annotated[
    str | None,
    typer.Option(help="A part of it, with all it needs: a corpus (dfew, afew), a fold (fd3), or a step (shards)."),
]
Config = Annotated[Path | None, typer.Option("--config", "-c", help="Run config, YAML, as Dagster's launchpad has it.")]
ProfileName = Annotated[
    str | None, typer.Option(help="quick, sample, paper, or one of NRDFER_PROFILES.", envvar="NRDFER_PROFILE")
]


@readable_run
def run(
    job: Annotated[str, typer.Argument(help="A job; without one, the whole reproduction.")] = MAIN,
    only: Only = None,
    config: Config = None,
    profile: ProfileName = None,
) -> None:
    """Run a job of the graph: a line a step, everything in a log, the closing table. Again: it continues."""
    config = None if config is None else config.absolute()
    enter_project(profile)
    status = run_job(job, only=only, config=config)
    if status:
        raise typer.Exit(status)


def enter_project(profile: str | None) -> None:
    """Find the project's folder, and set the environment for it, and for a profile.

    Raises:
        NrdferError: no project is here or above.
    """
    from pipelines.project.environment import enter
    from pipelines.project.folder import find_folder

    folder = find_folder()
    if profile is not None:
        os.environ["NRDFER_PROFILE"] = profile
    enter(folder)
    # the command line has read those of the folder in which it was typed; steps are processes of their own
    from nrdfer.corpora.registry import read_own_corpora

    read_own_corpora()


def run_job(job: str, *, only: str | None, config: Path | None) -> int:
    """Run a job in the present folder, print its steps and its end; returns the exit status."""
    settings = {} if config is None else read_config(config)
    typer.echo(one_line(f"job {job}{f', only {only}' if only else ''}, profile {_profile(settings)}, in {Path.cwd()}"))
    from pipelines.job_execution import check_name, execute, new_log, output_in
    from pipelines.job_parts import without_dfew

    check_name(job)
    changed = without_dfew(settings, only) if job == MAIN else None
    if changed is not None:
        settings = changed
        typer.echo(
            "no DFEW is given, so AFEW's network is trained from scratch, not from DFEW's first fold as in the paper "
            "(overrides: {initial: {afew: none}}); the results say so"
        )
    log = new_log(job if job.isidentifier() else "job")
    typer.echo(f"log: {name_text(log)}")
    with output_in(log) as write:
        outcome = execute(job, settings, only, write)
    with read_or_not():
        _report(outcome, log)
        if _has_results(job, only):
            _results(settings, outcome, whole=job == MAIN and only is None)
    return 0 if outcome.success else 1


@contextlib.contextmanager
def read_or_not() -> Iterator[None]:
    """Print, and go on where nobody reads any more, as of ``nrdfer run | head``: the status is the run's."""
    try:
        yield
    except BrokenPipeError:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)  # what is still to be flushed has an end, too
        os.close(nothing)


def read_config(path: Path) -> Mapping[str, Any]:
    """The run config of a file.

    Raises:
        ProfileError: it is not there, or is no YAML mapping.
    """
    from nrdfer.core.plain_yaml import read_settings

    if not path.is_file():
        raise ProfileError(f"-c {name_text(path)}: there is no such file")
    found = read_settings(path, name_text(path))
    if not isinstance(found, dict):
        raise ProfileError(f"-c {name_text(path)}: a run config is a mapping, e.g. resources: {{workbench: ...}}")
    return found


def _profile(settings: Mapping[str, Any]) -> str:
    """The profile of a run: its config's, else the shell's."""
    from nrdfer.config.resolve import DEFAULT
    from nrdfer.core import environment

    place: Any = settings
    for name in ("resources", "workbench", "config", "profile"):
        place = place.get(name) if isinstance(place, dict) else None
    return str(place) if place else environment.text("NRDFER_PROFILE", DEFAULT)


def _report(outcome: Outcome, log: Path) -> None:
    short, seconds = outcome.run_id[:8], f"{outcome.seconds:.0f} s"
    if outcome.success:
        typer.echo(f"run {short}: succeeded after {seconds}, {outcome.steps} steps")
        return
    typer.echo(f"run {short}: failed after {seconds}; everything is in {name_text(log)}", err=True)
    for step, reason in outcome.failed.items():
        typer.echo(one_line(f"  {step}: {' '.join(reason.splitlines())}"), err=True)
    for line in outcome.reason.splitlines():
        typer.echo(one_line(f"  {line}"), err=True)


def _has_results(job: str, only: str | None) -> bool:
    """Whether a job, or that part of it, ends with figures on the paper's corpora."""
    from pipelines.jobs import corpora_of_paper, parts

    known = {name for corpus in corpora_of_paper() for name in (corpus.name, *corpus.splits)}
    return job in {MAIN, *(part.name for part in parts)} and (only is None or only in known)


def _results(settings: Mapping[str, Any], outcome: Outcome, *, whole: bool) -> None:
    """Print the closing table; after a failure, the last one, if there is one; of a part, if it has one."""
    from nrdfer.commands.results import print_results
    from nrdfer.reporting.results import last_results

    try:
        found = last_results(_profile(settings))
    except NrdferError:
        if outcome.success and whole:
            raise
        return
    if not outcome.success:
        typer.echo("the last results there are:", err=True)
    print_results(found)
