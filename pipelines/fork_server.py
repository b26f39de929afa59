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
from multiprocessing import forkserver

import nrdfer
from nrdfer.core.processes import die_with_run
from pipelines.dagster_internals import LOADED_BY_STEPS

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
    "torch._dynamo",
    "torch.onnx",
)
#: Of ``nrdfer``, what no step uses.
_NOT_LOADED = ("nrdfer.cli", "nrdfer.commands")
_LONGEST = 60  # characters of the temporary folder: a socket's address in it must stay below 104


def obstacle() -> str:
    """Reason why steps cannot be forked here, so that each starts its own Python; empty if they can."""
    folder = tempfile.gettempdir()
    if sys.platform != "linux":
        return "what torch and MLflow load is known to be safe to fork on Linux only"
    if len(folder) > _LONGEST:
        return f"{folder} has too long a name for a socket in it; set TMPDIR to one of at most {_LONGEST} characters"
    return ""


def begin() -> None:
    """Start loading in parallel with the run's work before its first step."""
    multiprocessing.get_context("forkserver").set_forkserver_preload([__name__])
    forkserver.ensure_running()


def load() -> None:
    """Import what steps need. Failed imports are left out: the step that needs them reports it in its own log."""
    ours = [module.name for module in pkgutil.walk_packages(nrdfer.__path__, "nrdfer.", onerror=lambda _: None)]
    for name in (*LATE, "pipelines.definitions", *(name for name in ours if not name.startswith(_NOT_LOADED))):
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    with contextlib.suppress(Exception):  # which distribution has which module: MLflow reads it once a process
        importlib.import_module("mlflow.utils.requirements_utils").warn_dependency_requirement_mismatches(["mlflow"])


if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    die_with_run()
    # who ends a whole process group must reach the steps, which save, and not this, without which they would be killed
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    # what is loaded stays: looking for garbage in it takes a fifth of the time, and would copy pages that steps share
    gc.disable()
    load()
    gc.freeze()
    gc.enable()
