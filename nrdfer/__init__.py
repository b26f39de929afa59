"""The library: every stage of the NR-DFERNet reproduction, usable from Python, the command line and a notebook.

It never imports Dagster (``assets/`` and ``pipelines/`` do), and importing this package imports nothing heavy:
torch, OpenCV and MLflow are imported by the modules that need them. `predict`, `load_predictor` and `preprocess_video`
are imported when they are asked for.
"""

import os
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from nrdfer.core.addresses import settle_environment

if TYPE_CHECKING:
    from nrdfer.predict.api import load_predictor as load_predictor
    from nrdfer.predict.api import predict as predict
    from nrdfer.preprocessing.one_video import preprocess_video as preprocess_video

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


#: Name -> module that has it; the package `nrdfer.predict` can be called itself.
_FUNCTIONS = {"load_predictor": "nrdfer.predict.api", "preprocess_video": "nrdfer.preprocessing.one_video"}


def __dir__() -> list[str]:
    return sorted({*globals(), *_FUNCTIONS, "predict", "__version__"})


def __getattr__(name: str) -> Any:
    """The functions for users, and ``__version__``, as the installed distribution has it; when they are asked for."""
    if name == "predict":
        return import_module("nrdfer.predict")
    if name in _FUNCTIONS:
        return getattr(import_module(_FUNCTIONS[name]), name)
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return version("nrdfer")
    except PackageNotFoundError:
        return "0+unknown"  # a copy that was not installed
