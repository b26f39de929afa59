"""Execution of a job in this process, as ``dagster job execute`` does it: few lines for a person, all in a file.

Instance, executor and repair are those of the typed line. Keep out: the environment and the project's folder
(``pipelines/project``), and the command line (``pipelines/commands``).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from nrdfer.core import paths
from nrdfer.core.coerce import brief
from nrdfer.core.errors import NrdferError
from nrdfer.core.redaction import hide
from pipelines import job_parts, run_progress
from pipelines.dagster_internals import (
    ReconstructableRepository,
    capture_interrupts,
    get_possibly_temporary_instance_for_cli,
)
from pipelines.job_parts import select
from pipelines.project.environment import MODULE

Write = Callable[[str], None]
_CLASS = re.compile(r"^nrdfer\.[\w.]+: ")
_INTERRUPTED = ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


@dataclass(frozen=True)
class Outcome:
    """End of a run."""

    success: bool
    run_id: str
    seconds: float
    steps: int  # that succeeded
    failed: Mapping[str, str] = field(default_factory=dict)  # step -> reason
    reason: str = ""  # of a failure that is no step's


def new_log(job: str) -> Path:
    """A new file for everything that a run logs, in the project's folder."""
    folder = paths.home() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{job}-{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.log"
    log.open("xb").close()
    return log


@contextlib.contextmanager
def output_in(log: Path) -> Iterator[Write]:
    """Send what this process and its children print to a file; yields what prints a line where they printed before."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    try:
        with log.open("ab", buffering=0) as file:
            for number in (1, 2):
                os.dup2(file.fileno(), number)

        def write(line: str) -> None:
            # nobody reads on, as of `| head`: that must not end the run; a closed terminal also sends SIGHUP
            with contextlib.suppress(OSError):
                os.write(kept[0], (hide(line) + "\n").encode(errors="backslashreplace"))

        yield write
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)


def check_name(job: str) -> ReconstructableRepository:
    """The repository of this project's jobs, which has one of that name.

    Raises:
        NrdferError: it has none.
    """
    repository = ReconstructableRepository.for_module(MODULE, "defs", str(Path.cwd()))
    names = [name for name in repository.get_definition().job_names if not name.startswith("__")]
    if job not in names:
        raise NrdferError(f"there is no job {brief(job)}; known are {', '.join(sorted(names))}")
    return repository


def execute(job: str, config: Mapping[str, Any], only: str | None, write: Write) -> Outcome:
    """Execute a job of this project in this process.

    Args:
        job: its name.
        config: the run's, as the launchpad has it; what it leaves out keeps its default.
        only: a part of the keys of assets, e.g. ``dfew``, ``fd3``: these, and what they need; None: all.
        write: prints a line for the person who waits.

    Raises:
        NrdferError: there is no such job, nothing in it has that name, or the config is not valid.
        KeyboardInterrupt: it was asked to stop, by Ctrl-C, SIGTERM or SIGHUP; the run's steps have ended.
    """
    quiet = logging.getLogger("nrdfer.instance")
    quiet.setLevel(logging.ERROR)  # it would explain a temporary folder
    begun = time.monotonic()
    with (
        capture_interrupts(),
        _hangup_too(),
        get_possibly_temporary_instance_for_cli("nrdfer run", logger=quiet) as instance,
    ):
        chosen = check_name(job).get_reconstructable_job(job)
        definition = chosen.get_definition()
        if definition.partitions_def is not None:
            raise NrdferError(
                f"{job} has one run a partition, launched together: `nrdfer dev` in another shell, and in this "
                f"one, activated: dagster job backfill -j {job} --all --noprompt"
            )
        selection = None if only is None else select(definition, only, job_parts.from_scratch(config))
        if selection is not None:
            chosen = chosen.get_subset(asset_selection=frozenset(selection))
        lines = run_progress.StepLines(write)
        end = run_progress.subscribe(lines)
        try:
            with (
                lines.watched(),
                dg.execute_job(
                    chosen,
                    instance,
                    run_config=_logged(config or definition.run_config or {}),
                    raise_on_error=False,
                    asset_selection=selection,
                ) as result,
            ):
                success, run_id = result.success, result.run_id
        except dg.DagsterInvalidConfigError as error:
            raise NrdferError(f"the run's config is not valid: {error.message}") from error
        finally:
            end()
        reason = "" if success else _reason(instance, run_id)
    return Outcome(
        success, run_id, time.monotonic() - begun, len(lines.done), lines.failed, "" if lines.failed else reason
    )


def _logged(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's config with all of Dagster's events in the log; the user's own loggers stay."""
    return {"loggers": {"console": {"config": {"log_level": "DEBUG"}}}, **config}


@contextlib.contextmanager
def _hangup_too() -> Iterator[None]:
    """Take SIGHUP, of a terminal that is closed, as SIGTERM; nohup, which has it ignored, keeps its meaning."""
    before = signal.getsignal(signal.SIGHUP)
    if before == signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    """Reason of a run that failed without any step that did: the innermost cause of its last event.

    Raises:
        KeyboardInterrupt: it was interrupted, which Dagster records as a failure.
    """
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
    events = [record.event_log_entry.dagster_event for record in records]
    for event in filter(None, reversed(events)):
        error = event.job_failure_data.error
        if error is not None and error.cls_name in _INTERRUPTED:
            raise KeyboardInterrupt
        while error is not None and error.cause is not None:
            error = error.cause
        # of an error for users, the message alone and not its class
        return _CLASS.sub("", error.message.strip()) if error is not None else str(event.message)
    return "no reason was recorded"
