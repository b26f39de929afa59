"""The library: every stage of the NR-DFERNet reproduction, usable from Python, the command line and a notebook.

It never imports Dagster (``assets/`` and ``pipelines/`` do), and importing this package imports nothing heavy:
torch, OpenCV and MLflow are imported by the modules that need them.
"""

import os
from importlib.metadata import PackageNotFoundError, version

from nrdfer.core.addresses import settle_environment

# faces are personal data, nothing leaves the machine: libraries that would report their use are configured first
for _name, _value in {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "ORT_DISABLE_TELEMETRY": "1",
    "DAGSTER_DISABLE_TELEMETRY": "true",  # stops its uploading; that nothing is collected, dagster.yaml says
}.items():
    os.environ.setdefault(_name, _value)
# nor does a password, into what its processes log or keep; and no proxy is used for this machine
settle_environment()


def __getattr__(name: str) -> str:
    """``__version__``, as the installed distribution has it; read when it is asked for."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return version("nrdfer")
    except PackageNotFoundError:
        return "0+unknown"  # a copy that was not installed
