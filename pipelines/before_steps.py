"""Checks of a run in its own process, before its first step; a run that would fail ends with all reasons at once.

Keep out: the checks themselves (`nrdfer.preflight`).
"""

from __future__ import annotations

from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from nrdfer.core.errors import NrdferError
from nrdfer.preflight.network import Question, network_faults
from nrdfer.preflight.plan import Fault, NotReadyError, Plan
from pipelines import fork_server
from pipelines.mlflow_run import workbench_of

if TYPE_CHECKING:
    from pipelines.dagster_internals import ExecutionPlan, PlanOrchestrationContext


def refuse_faults(context: PlanOrchestrationContext, plan: ExecutionPlan, *, cluster: bool) -> None:
    """End a run that would fail.

    Args:
        context: of the run.
        plan: its steps.
        cluster: whether other machines run them.

    Raises:
        NotReadyError: something would stop it; the message lists all of it.
    """
    from nrdfer.preflight.check import find_faults

    workbench = workbench_of(context)
    if workbench is None:
        return
    try:
        profile = workbench.settings
    except NrdferError as error:
        raise NotReadyError([Fault("profile", str(error))]) from None
    found = find_faults(Plan(profile, assets_of(context, plan)), ask, cluster=cluster)
    refused = [fault for fault in found if not (cluster and fault.of_machine)]
    for fault in found:
        if fault not in refused:
            context.log.warning(f"on this machine, which may differ from those of the steps: {fault}")
    if refused:
        raise NotReadyError(refused)


def makes_anything(context: PlanOrchestrationContext, plan: ExecutionPlan) -> bool:
    """Whether a run has anything to make that was not made here before with the same settings, or it is not known."""
    try:
        workbench = workbench_of(context)
        return workbench is None or Plan(workbench.settings, assets_of(context, plan)).absent != frozenset()
    except NrdferError:
        return True


def assets_of(context: PlanOrchestrationContext, plan: ExecutionPlan) -> frozenset[str]:
    """Keys of the assets that a run's steps make; the step of an asset, or of a part of one, has its key as name."""
    keys = context.job.get_definition().asset_layer.selected_asset_keys
    named = {"__".join(key.path): key.to_user_string() for key in keys}
    nodes = {step.partition(".")[0] for step in plan.step_keys_to_execute}
    return frozenset(asset for name, asset in named.items() if name in nodes)


def ask(question: Question) -> list[Fault] | None:
    """The faults of a network, found in a process of its own: forked, as steps are, from the one that has torch."""
    method = get_context("spawn") if fork_server.obstacle() else get_context("forkserver")
    reading, writing = method.Pipe(duplex=False)
    process = method.Process(target=_answer, args=(question, writing), daemon=True)
    process.start()
    writing.close()
    try:
        return list(reading.recv())
    except EOFError:  # it was killed, or failed as a step will, in its own log
        return None
    finally:
        reading.close()
        process.join()


def _answer(question: Question, writing: Connection) -> None:
    writing.send(network_faults(question))
