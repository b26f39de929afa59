"""Python, the packages that nrdfer requires, the build of PyTorch, and whether it can use the machine's card."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Iterator

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import Requirement

from nrdfer.diagnostics.findings import Section
from nrdfer.runtime import nvidia

_LISTED = ("nrdfer", "torch", "dagster", "mlflow", "numpy", "opencv-python-headless", "onnxruntime")


def examine() -> Section:
    """Versions, and packages that are missing or outside of the required range; none is imported."""
    found = Section("Python")
    found.note("ok", f"Python {platform.python_version()} in {sys.prefix}")
    versions = {name: version for name in _LISTED if (version := _version(name)) is not None}
    found.facts = {"python": platform.python_version(), "prefix": sys.prefix, "packages": versions, "unmet": []}
    found.note("ok", ", ".join(f"{name} {version}" for name, version in versions.items()))
    for requirement in _required():
        version = _version(requirement.name)
        if version is not None and requirement.specifier.contains(version, prereleases=True):
            continue
        found.facts["unmet"].append(str(requirement))
        have = "is not installed" if version is None else f"is installed as {version}"
        found.note("missing", f"{requirement} is required and {have}: pip install '{requirement}'")
    return found


def examine_gpu() -> Section:
    """The build of PyTorch, the NVIDIA cards, and why one cannot be used."""
    found = Section("GPU")
    build, cards = nvidia.torch_build(), nvidia.find_cards()
    found.facts = {
        "torch": None if build is None else build.version,
        "built_for_cuda": None if build is None else build.cuda,
        "cards": list(cards.names),
        "driver": cards.driver or None,
    }
    if build is not None:
        kind = f"built for CUDA {build.cuda}" if build.cuda else "built for AMD or Intel" if build.other_gpus else ""
        found.note("ok", f"PyTorch {build.version}, {kind or 'built for CPUs'}")
    if not cards.there:
        found.note("note", "no NVIDIA card; trainings and predictions use the CPU")
        return found
    found.note("ok", str(cards))
    reason = nvidia.known_obstacle(cards, build)
    if reason is not None:
        found.note("note" if reason.wanted else "warning", f"PyTorch cannot use it: {reason.reason}; {reason.remedy}")
    return found


def _required() -> Iterator[Requirement]:
    """The requirements of nrdfer as it is installed, without its extras."""
    try:
        lines = importlib.metadata.requires("nrdfer") or []
    except importlib.metadata.PackageNotFoundError:  # run from a folder of files
        return
    for requirement in map(Requirement, lines):
        try:
            applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        except UndefinedEnvironmentName:
            applies = False
        if applies:
            yield requirement


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
