"""Python files of an installed distribution, found without an import.

What they are needed for belongs to ``nrdfer.core.plugins``.
"""

from __future__ import annotations

from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import Distribution
from importlib.util import find_spec
from pathlib import Path


def source_files(top: str, distribution: Distribution | None) -> list[tuple[str, Path]] | None:
    """Names and paths of the Python files of a top-level module, and of the others of its distribution.

    Args:
        top: name of the module.
        distribution: that it is of; its other modules are left out if it does not list them.

    Returns:
        Names within the module, and those of another module after its name and a colon; None without the module.
    """
    spec = _spec(top)
    if spec is None:
        return None
    found = _files(spec)
    folders = [str(folder.parent) for folder in _folders(spec)] or [str(Path(spec.origin or "").parent)]
    for module in sorted(_modules(distribution) - {top}):
        # beside it first: a name such as ``tests`` means another module in every folder
        other = PathFinder.find_spec(module, folders) or _spec(module)
        found += [(f"{module}:{name}", path) for name, path in _files(other)] if other is not None else []
    return found


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError):
        return None


def _folders(spec: ModuleSpec) -> list[Path]:
    return [Path(folder) for folder in spec.submodule_search_locations or ()]


def _files(spec: ModuleSpec) -> list[tuple[str, Path]]:
    folders = _folders(spec)
    if not folders and spec.origin is not None:
        origin = Path(spec.origin)
        return [(origin.name, origin)] if origin.is_file() else []  # a module of Python itself has none
    return [(path.relative_to(folder).as_posix(), path) for folder in folders for path in folder.rglob("*.py")]


def _modules(distribution: Distribution | None) -> set[str]:
    """Names of a distribution's top-level modules as it lists them; an editable one has ``top_level.txt`` at most."""
    if distribution is None:
        return set()
    listed = (distribution.read_text("top_level.txt") or "").split()
    if not listed:
        files = [path.parts for path in distribution.files or () if path.suffix == ".py"]
        listed = [parts[0].removesuffix(".py") for parts in files]
    return {name for name in listed if name.isidentifier() and not name.startswith("__editable__")}
