"""A process that executes runs of Dagster as far as repair can see them: lease, tag, pool slot, MLflow run, child.

    python -m devtools.chaos.live_run        (in a folder with a dagster.yaml)

For each line of its input it begins one more run and prints its id; it lives until it is killed or its input ends. Keep
out: the namespaces that it is started in, and what is done to it (`scripts.chaos.repair`).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from nrdfer.tracking.client import Tracking
from nrdfer.tracking.pending_uploads import begin_pipeline
from pipelines import run_lease

POOL = "gpu"


@dg.job
def waiting() -> None:
    """A job without steps, which is never over."""


def begin(instance: dg.DagsterInstance) -> str:
    """Begin a run as the executor does; its child, which the run marks, lives as long as this process."""
    run_id = instance.create_run_for_job(waiting, status=dg.DagsterRunStatus.STARTED).run_id
    with run_lease.held(instance, run_id):
        child = subprocess.Popen(["sleep", "100000"])  # noqa: S607
    if not instance.event_log_storage.claim_concurrency_slot(POOL, run_id, "step").is_claimed:
        raise SystemExit(f"there is no slot in the pool {POOL}")
    if not begin_pipeline(Tracking(), run_id, {"name": "chaos"}, {}):
        raise SystemExit("MLflow does not accept the run")
    return f"{run_id} {child.pid}"


def lives(pid: int) -> bool:
    """Whether a child lives: one that was ended has no command line, and may be reaped already."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def main() -> None:
    """Begin a run for every line."""
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(Path.cwd()))) as instance:
        children = []
        for _ in sys.stdin:
            run_id, child = begin(instance).split()
            children.append(int(child))
            print(run_id, len([pid for pid in children if not lives(pid)]), flush=True)


if __name__ == "__main__":
    main()
