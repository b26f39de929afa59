"""Resources that a step asks of a cluster: cores, machines, and whether it is to have a GPU.

By the profile of the run, so that a step gets as many cores as it starts workers. Keep out: how a scheduler is asked
(``slurm.py``, ``ray_jobs.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.mlflow_run import settings_of

if TYPE_CHECKING:
    from pipelines.dagster_internals import PlanOrchestrationContext

GPU_POOL = "gpu"
#: Tag of a step that starts the profile's ``workers`` processes (``assets/chunked_assets.py``).
TAG_CORES = "nrdfer/cores"
#: Tag of a step that computes with the profile's engine outside the pool of trainings (``assets/evaluation.py``).
TAG_ENGINE = "nrdfer/engine"
#: Tag of a training, which may span the machines of the engine's ``nodes`` (``assets/training.py``).
TAG_NODES = "nrdfer/nodes"


@dataclass(frozen=True)
class Needs:
    """Resources of one step."""

    cpus: int = 1
    nodes: int = 1  # machines, each with these cores
    gpu: bool = False  # whether the profile lets it use one; whether the cluster has one, its engine knows


def needs_of(context: PlanOrchestrationContext, pool: str | None, tags: Mapping[str, str]) -> Needs:
    """Needs of a step; one core if the run's profile is invalid: the step will say what is wrong.

    Args:
        context: of the run, or of the step.
        pool: Dagster's pool of the step.
        tags: of the step.
    """
    profile = settings_of(context)
    if profile is None:
        return Needs()
    if pool == GPU_POOL or TAG_ENGINE in tags:
        engine = profile.engine
        nodes = engine.nodes if TAG_NODES in tags else 1
        here = max(1, engine.devices // nodes) if nodes > 1 else 1
        return Needs(here * max(1, engine.threads, engine.workers), nodes, engine.device != "cpu")
    return Needs(max(1, profile.workers)) if TAG_CORES in tags else Needs()
