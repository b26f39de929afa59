"""Common frame of every step: readable errors, a link to MLflow, a report of what was already done.

Keep here: the `step_results` wrapper. Keep out: the work.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.code_references import source_of
from assets.metadata import pipeline_run
from assets.project_resource import describe
from assets.run_end import leave_to_scheduler
from nrdfer.core.errors import NrdferError, TrainingLost, TrainingStopped
from nrdfer.core.machine_errors import in_words, waiting_helps
from nrdfer.core.redaction import scrub
from nrdfer.store import Artifact

if TYPE_CHECKING:
    from nrdfer.training.progress import Progress


MOST_LOSSES = 3  # attempts after the first of a training that lost one of its machines


@contextlib.contextmanager
def step(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> Iterator[None]:
    """Run a step's work: errors meant for the user end it with their own message, without a retry."""
    if context.log.level > logging.INFO:  # dagster.yaml's level is for the console; the run's page has more
        context.log.setLevel(logging.INFO)
    try:
        yield
    except dg.DagsterExecutionInterruptedError:
        leave_to_scheduler(context)
        raise
    except TrainingStopped as stopped:
        # the run was ended in the UI or from the shell, or the step by a cluster: that is no failure
        context.log.info("%s", stopped)
        leave_to_scheduler(context)
        raise dg.DagsterExecutionInterruptedError() from None
    except TrainingLost as error:
        context.log.warning("%s", error)
        raise dg.RetryRequested(max_retries=MOST_LOSSES) from error
    except NrdferError as error:
        # the message says what was wrong, where, and what to do; a traceback would only bury it
        raise dg.Failure(description=str(error), allow_retries=False) from None
    except dg.Failure:
        raise
    except Exception as error:
        scrub(error)
        message = in_words(error)
        if message is None:
            raise
        raise dg.Failure(description=message, allow_retries=waiting_helps(error)) from None


def materialize(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, artifact: Artifact, **metadata: Any
) -> dg.MaterializeResult[Artifact]:
    """The result of a step: the artefact's reference as value, its digest as data version, figures as metadata.

    It leads to an MLflow run: the one among the figures, else that of the whole pipeline run.
    """
    _tell(context, artifact)
    return dg.MaterializeResult(
        value=artifact,
        metadata=dict(describe(artifact, **{**provenance(context), **metadata})),
        data_version=dg.DataVersion(artifact.digest[:16]),
    )


def output(context: dg.OpExecutionContext, artifact: Artifact, **metadata: Any) -> dg.Output[Artifact]:
    """As `materialize`, for the last op of an asset that is a graph."""
    _tell(context, artifact)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # data versions of outputs; tested here
        return dg.Output(
            artifact,
            metadata=dict(describe(artifact, **{**provenance(context), **metadata})),
            data_version=dg.DataVersion(artifact.digest[:16]),
        )


def provenance(context: dg.OpExecutionContext | dg.AssetExecutionContext) -> dict[str, Any]:
    """Metadata of every materialisation: the source line that made it, and the MLflow run of the whole run."""
    return {"source": source_of(context.op_def), **pipeline_run(context.run_id)}


def _tell(context: dg.OpExecutionContext | dg.AssetExecutionContext, artifact: Artifact) -> None:
    if artifact.repaired:
        context.log.warning("%s", artifact.repaired)
    if artifact.waiting:
        context.log.warning("%s", artifact.waiting)
    if artifact.up_to_date:
        context.log.info(
            f"{artifact.asset} was up to date: {artifact.digest[:12]} found in the store, nothing computed"
        )
    else:
        context.log.info(f"{artifact.asset} computed and published: {artifact.digest[:12]}")


def progress_logger(context: dg.OpExecutionContext | dg.AssetExecutionContext, what: str, every: float = 10.0) -> Any:
    """A ``progress(done, total)`` callback that writes at most one log line every `every` seconds."""
    import time

    started = time.monotonic()
    last = started

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every or done == total:
            last = now
            rate = done / max(now - started, 1e-9)
            left = (total - done) / max(rate, 1e-9)
            context.log.info(f"{what}: {done}/{total} ({rate:.1f}/s, {left:.0f} s left)")

    return report


def training_logger(
    context: dg.OpExecutionContext | dg.AssetExecutionContext, what: str, every: float = 10.0
) -> Callable[[Progress], None]:
    """As `progress_logger`, for a training: epoch, batch, clips per second, loss and time left."""
    from nrdfer.training.progress import at_most_every

    return at_most_every(every, lambda line: context.log.info(f"{what}: {line}"))
