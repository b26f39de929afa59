"""The process that a run's steps are forked from: it has loaded, once, what every step would load again.

On Linux the executor preloads this module in Python's fork server, because a step of a tracked, trained and drawn graph
needs torch, MLflow and matplotlib: seconds of work and hundreds of megabytes in each of some forty processes. Keep
here: what is loaded, and how that process ends with its run. Keep out: anything that does not survive a fork: an open
database, a thread, a GPU (importing opens none; a test verifies that).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import pkgutil
import signal
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import dagster as dg

import nrdfer
from nrdfer.core.migrations import read_list
from nrdfer.core.processes import die_with_run
from pipelines import mirrored_output
from pipelines.dagster_internals import LOADED_BY_STEPS, MIGRATIONS

#: Loaded beside the graph and all of ``nrdfer``: what these, and Dagster in a step's process, load when they need it.
LATE = (
    *LOADED_BY_STEPS,
    "cv2",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.tracing.processor.base_mlflow",
    "mlflow.tracing.provider",
    "onnx",
    "onnxruntime",
    "pandas",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "torch.onnx",
)
#: Loaded unless all of a run is up to date: PyTorch's optimisers ask for it, and it takes as long as PyTorch itself.
COMPUTING = ("torch._dynamo",)
#: Of ``nrdfer``, what no step uses; and what loads `COMPUTING`, or SciPy's statistics, which take long too.
_NOT_LOADED = ("nrdfer.cli", "nrdfer.commands", "nrdfer.demo")
_COMPUTING_HERE = (
    "nrdfer.evaluation.paired",
    "nrdfer.evaluation.seeds",
    "nrdfer.experiments.pairs",
    "nrdfer.models.export",
    "nrdfer.noise",
    "nrdfer.reporting",
)
#: Variables of the environment, for this process alone: the run's job, and whether all that it makes is there.
_JOB, _UP_TO_DATE = "_NRDFER_JOB", "_NRDFER_UP_TO_DATE"
_LONGEST = 60  # characters of the temporary folder: a socket's address in it must stay below 104


def obstacle() -> str:
    """Reason why steps cannot be forked here, so that each starts its own Python; empty if they can."""
    folder = tempfile.gettempdir()
    if sys.platform != "linux":
        return "what torch and MLflow load is known to be safe to fork on Linux only"
    if len(folder) > _LONGEST:
        return f"{folder} has too long a name for a socket in it; set TMPDIR to one of at most {_LONGEST} characters"
    return ""


def begin(job: str = "", *, up_to_date: bool = False) -> None:
    """Start loading in parallel with the run's work before its first step.

    Args:
        job: of the run, whose graph the steps need; "" if none is to be ready.
        up_to_date: whether all that the run makes was made before; a step that computes then loads by itself what it
            computes with.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    asked = {_JOB: job} if job else {}
    if up_to_date:
        asked[_UP_TO_DATE] = "1"
    os.environ.update(asked)
    try:
        forkserver.ensure_running()
    finally:
        for name in asked:
            del os.environ[name]


def load(job: str = "", *, up_to_date: bool = False) -> None:
    """Import what steps need. Failed imports are left out: the step that needs them reports it in its own log.

    Args:
        job: as `begin` has it.
        up_to_date: as `begin` has it.
    """
    ours = [module.name for module in pkgutil.walk_packages(nrdfer.__path__, "nrdfer.", onerror=lambda _: None)]
    left_out = (*_NOT_LOADED, *(_COMPUTING_HERE if up_to_date else ()))
    late = (*LATE, *(() if up_to_date else COMPUTING))
    for name in (*late, "pipelines.definitions", *(name for name in ours if not name.startswith(left_out))):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    make_ready: list[Callable[[], None]] = [_read_migrations, lambda: _resolve(job), mirrored_output.end_with_steps]
    if not up_to_date:
        make_ready += [_look_for_distributions, _read_sources]
    for make in make_ready:
        with contextlib.suppress(Exception):
            make()


def _look_for_distributions() -> None:
    """Look which distribution has which module: MLflow does it once a process that writes a model."""
    importlib.import_module("mlflow.utils.requirements_utils").warn_dependency_requirement_mismatches(["mlflow"])


def _read_sources() -> None:
    """Find the version of the code that is loaded here, which every artefact names."""
    importlib.import_module("nrdfer.runtime.code_version").code_version()


def _read_migrations() -> None:
    """Read the lists that Dagster and MLflow compare their databases with."""
    import mlflow

    for location in (MIGRATIONS, str(Path(mlflow.__file__).parent / "store" / "db_migrations")):
        read_list(location)


def _resolve(job: str) -> None:
    """Resolve a job of the graph and the schema of its config, which every step asks for."""
    definitions = importlib.import_module("pipelines.definitions").defs
    if not job:
        return
    kept = signal.getsignal(signal.SIGTERM)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        dg.validate_run_config(definitions.resolve_job_def(job), {})
    finally:  # Dagster leaves SIGTERM with the meaning of Ctrl-C
        signal.signal(signal.SIGTERM, kept)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    die_with_run()
    # who ends a whole process group must reach the steps, which save, and not this, without which they would be killed
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    # what is loaded stays: looking for garbage in it takes a fifth of the time, and would copy pages that steps share
    gc.disable()
    load(os.environ.pop(_JOB, ""), up_to_date=os.environ.pop(_UP_TO_DATE, "") != "")
    gc.freeze()
    gc.enable()
